import type { Clock } from "../core/clock.ts";
import type { NamedLink } from "./named-link.ts";
import type { Outbox } from "./outbox.ts";
import type { Sender } from "./sender.ts";
import type { StatusReport } from "./status-report.ts";

/** How the control link is, for `status`, `doctor` and a person. No secrets. */
export interface ControlHealth {
  /** `held`: it stays away because another device lives under its name. */
  readonly state: "connected" | "connecting" | "waiting" | "held" | "stopped";
  readonly broker: string;
  readonly protocol?: "5" | "3.1.1";
  /** Of the last connection, or of the last try; absent when there was none. */
  readonly lastError?: { readonly code: string; readonly message: string };
  /** Since the start. */
  readonly connections: number;
  /** Replies and events that wait for the broker. */
  readonly waiting: number;
  /** Those that were given up. */
  readonly dropped: number;
  readonly droppedLast?: { readonly code: string; readonly message: string };
  /** Requests that came while those before them were stuck, and were not looked at. */
  readonly missed: number;
  /** Filters of requests that the broker does not let this device read. */
  readonly refusedFilters: readonly string[];
  /** Where it does not let this device write. Mosquitto says so on MQTT 5 alone. */
  readonly refusedTopics: readonly string[];
  /** What the broker has named as its largest packet. */
  readonly packetBytesMax?: number;
  /** The smallest payload that it has refused for its size. */
  readonly refusedBytes?: number;
  readonly cloned?: { readonly instance: string; readonly forMs: number; readonly times: number };
}

export interface ControlHealthParts {
  readonly named: NamedLink;
  readonly outbox: Outbox;
  readonly sender: Sender;
  readonly refusedFilters: ReadonlySet<string>;
}

export function controlHealth(parts: ControlHealthParts, clock: Clock): ControlHealth {
  const { named, outbox, sender, refusedFilters } = parts;
  const { link, clone } = named;
  const limits = link.limits();
  const lastFailure = link.lastFailure();
  const { refusedBytes } = sender;
  return {
    state: named.isHeld ? "held" : stateOf(named),
    broker: link.broker(),
    ...(limits === undefined ? {} : { protocol: limits.version === 5 ? "5" : "3.1.1" }),
    ...(lastFailure === undefined ? {} : { lastError: shown(lastFailure) }),
    connections: link.connections(),
    ...{ waiting: outbox.waiting, dropped: outbox.dropped, missed: link.missed() },
    ...(outbox.lastError === undefined ? {} : { droppedLast: shown(outbox.lastError) }),
    ...{ refusedFilters: [...refusedFilters], refusedTopics: sender.refusedTopics },
    ...(limits?.maximumPacketSize === undefined ? {} : { packetBytesMax: limits.maximumPacketSize }),
    ...(refusedBytes === undefined ? {} : { refusedBytes }),
    ...(clone === undefined ? {} : { cloned: clonedOf(clone, clock) }),
  };
}

/** The part of it that a status carries; that it arrives says the rest. */
export function linkStatus(health: ControlHealth): NonNullable<StatusReport["link"]> {
  const { protocol, waiting, dropped, missed, refusedFilters, refusedTopics, refusedBytes, lastError } = health;
  return {
    ...(protocol === undefined ? {} : { protocol }),
    ...{ waiting, dropped, missed },
    refusedFilters: refusedFilters.slice(0, toldMax),
    refusedTopics: refusedTopics.slice(0, toldMax),
    ...(refusedBytes === undefined ? {} : { refusedBytes }),
    ...(lastError === undefined ? {} : { error: lastError.code }),
  };
}

/** Of each list; whoever mends the first few has mended the access list. */
const toldMax = 8;

function stateOf({ link, present }: NamedLink): ControlHealth["state"] {
  const { kind } = link.state();
  // A connection on which this device is not itself yet is of no use to anybody.
  return kind === "connected" && present === undefined ? "connecting" : kind;
}

function shown({ code, message }: { readonly code: string; readonly message: string }) {
  return { code, message };
}

function clonedOf({ instance, sinceMs, times }: NonNullable<NamedLink["clone"]>, clock: Clock) {
  return { instance, times, forMs: Math.round(clock.monotonicMs() - sinceMs) };
}
