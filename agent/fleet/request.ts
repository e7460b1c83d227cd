import { remoteLimits } from "../../src/core/remote-limits.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { Addressing } from "./request-words.ts";
import { addressed, argumentsFrom, specOf } from "./request-words.ts";
import type { Addressee } from "../../src/remote/topics.ts";

export interface RequestOptions {
  readonly dryRun?: true;
  readonly ttl?: number;
  readonly ifRevision?: number;
  readonly spread?: number;
  readonly timeout?: number;
  readonly unchecked?: true;
}

/** What goes over the wire, before a signature. */
export interface OutgoingRequest {
  readonly v: 1;
  readonly id: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly dry?: true;
  readonly ttlMs: number;
  readonly ifRevision?: number;
  readonly spreadMs?: number;
}

export interface Errand {
  readonly to: Addressee;
  readonly command: string;
  readonly request: OutgoingRequest;
  /** How long replies are waited for, the time over which devices spread included. */
  readonly timeoutMs: number;
}

const usualTimeoutMs = 30_000;

/** Fails with `USAGE_…`. */
export function errandOf(words: readonly string[], options: RequestOptions & Addressing, id: string): Errand {
  const { dryRun, ttl, ifRevision, spread, unchecked = false } = options;
  const { to, name, argumentWords } = addressed(words, options);
  const spec = specOf(name, unchecked);
  const args = argumentsFrom(argumentWords, spec, unchecked);
  if (spread !== undefined && to.kind === "device") throw usage("--spread is for --group and --all");
  const usual = spec?.slow === true && dryRun !== true ? remoteLimits.slowTimeoutMs : usualTimeoutMs;
  const timeoutMs = (options.timeout ?? usual) + (spread ?? 0);
  // Nothing is to begin when nobody waits for it any more.
  const ttlMs = ttl ?? timeoutMs;
  if (ttlMs <= (spread ?? 0)) throw usage("--ttl must be longer than --spread");
  if (ttlMs > remoteLimits.ttlMaxMs) throw usage("--ttl: at most 7d");
  if ((spread ?? 0) > remoteLimits.spreadMaxMs) throw usage("--spread: at most 1h");
  return {
    ...{ to, command: name, timeoutMs },
    request: {
      ...{ v: 1, id, args, ttlMs },
      ...(dryRun === true ? { dry: true } : {}),
      ...(ifRevision === undefined ? {} : { ifRevision }),
      ...(spread === undefined ? {} : { spreadMs: spread }),
    },
  };
}

function usage(message: string): AgentError {
  return new AgentError("USAGE_COMMAND", message, { disposition: "fatal" });
}
