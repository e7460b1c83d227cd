import { AgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { difference, isFields, patched, type Fields } from "../../src/config/overlay.ts";
import type { Overlay, OverlayChange } from "../../src/config/overlay-file.ts";
import type { StatusReport } from "../../src/remote/status-report.ts";
import type { Settings } from "../settings.ts";

/** A change of the config in force: what it makes of an overlay, how it is applied, and how it ends. */

type ShownChange = NonNullable<NonNullable<StatusReport["config"]>["lastChange"]>;

/** What is read where it is used, and changed without stopping anything. */
export const inPlace: readonly string[] = ["/log/level", "/remote/revertAfter"];

type RemoteConfig = NonNullable<Settings["config"]["remote"]>;

export function withPatience(remote: RemoteConfig, { revertAfter }: RemoteConfig): RemoteConfig {
  return { ...remote, revertAfter };
}

/** What is written after a change, of what was written before it and of the operator's file alone. */
export type Make = (before: unknown, file: Fields) => unknown;

/** A change that is on disk. */
export interface Taken {
  readonly outcome: Promise<object>;
}

export function done(answer: object): Taken {
  return { outcome: Promise.resolve(answer) };
}

/** A change of some version of the config, with the overlay that it makes. */
export function edited({ operator, overlay: { overlay: current } }: Settings, make: Make) {
  const before = fieldsOf(patched(operator.written, current.changes));
  const after = fieldsOf(make(before, operator.written));
  const changes = fieldsOf(difference(operator.written, after));
  return { operator, current, before, after, changes };
}

export function appliedAs(isInPlace: boolean): string {
  return isInPlace ? "in place" : "parts started anew";
}

export interface Ending {
  readonly withinMs: number;
  readonly promise: Promise<object>;
  readonly end: (outcome: Promise<object>) => void;
}

export function endingOf(withinMs: number): Ending {
  let end: Ending["end"] = () => {};
  const promise = new Promise<object>((resolve) => (end = resolve));
  // Nobody may be waiting for it.
  promise.catch(() => undefined);
  return { withinMs, promise, end };
}

export function outcome({ revision, lastChange }: Overlay): Promise<object> {
  if (lastChange?.state !== "reverted") {
    const { paths = [] } = lastChange ?? {};
    const isInPlace = paths.every((path) => inPlace.includes(path));
    return Promise.resolve({ revision, changed: paths, applied: appliedAs(isInPlace) });
  }
  const message = `taken back: ${lastChange.reason ?? "unknown"}`.slice(0, remoteLimits.messageCharsMax);
  const failed = Promise.reject(new AgentError("CONFIG_REVERTED", message, { disposition: "reject" }));
  failed.catch(() => undefined);
  return failed;
}

export function shownChange({ revision, state, paths, reason }: OverlayChange): ShownChange {
  return { revision, state, paths: [...paths], ...(reason === undefined ? {} : { reason }) };
}

export function withOverlayOf(settings: Settings, overlay: Overlay): Settings {
  return { ...settings, overlay: { ...settings.overlay, overlay, isWritten: true, isLeftOut: false } };
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** RFC 6901. */
export function stepsOf(pointer: string): readonly string[] {
  const steps = pointer.split("/").slice(1);
  return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function refusal(code: string, message: string, path?: string): AgentError {
  return new AgentError(code, message, { disposition: "reject", ...(path === undefined ? {} : { facts: { path } }) });
}
