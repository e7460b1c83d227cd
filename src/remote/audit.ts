import { remoteLimits } from "../core/remote-limits.ts";
import type { Command } from "./command.ts";
import type { Entry } from "./ledger.ts";
import { isObject, type Answer } from "./reply.ts";
import { pointerOf } from "./request.ts";

/** An effect, for whoever keeps count of them. What it answered stands in its reply. */
export interface Audit extends Pick<Answer, "state" | "code" | "error"> {
  readonly command: string;
  readonly id: string;
  readonly key?: string;
  /** As the command shows them. Absent where an earlier start took the request. */
  readonly args?: unknown;
  /** In place of long arguments: which there were (RFC 6901). */
  readonly paths?: readonly string[];
}

export function auditOf(
  { id, key, command }: Pick<Entry, "id" | "key" | "command">,
  { state, code, error }: Answer,
  shown: unknown,
): Audit {
  return {
    ...{ command, id, state, code },
    ...(error === undefined ? {} : { error }),
    ...(key === undefined ? {} : { key }),
    ...argsOf(shown),
  };
}

/** Without what the command does not show. */
export function shownArgs(command: Command | undefined, args: unknown): unknown {
  return command?.shown === undefined ? args : command.shown(args);
}

function argsOf(shown: unknown): Pick<Audit, "args" | "paths"> {
  if (shown === undefined) return {};
  const isShort = Buffer.byteLength(JSON.stringify(shown)) <= remoteLimits.auditArgsBytesMax;
  return isShort ? { args: shown } : { paths: pathsOf(shown).slice(0, remoteLimits.auditPathsMax) };
}

/** Of every value that is no object, as JSON pointers: what was set, and not to what. */
export function pathsOf(value: unknown, path: readonly string[] = []): readonly string[] {
  if (!isObject(value) || Object.keys(value).length === 0) return [pointerOf(path)];
  return Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]));
}
