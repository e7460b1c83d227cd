import { backoffMs } from "../core/backoff.ts";
import type { AgentError } from "../core/errors.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import { chargesRecord, holdsCamera, type Outcome, suspectsRecord } from "../core/outcome.ts";
import type { Delivery, Random, Settlement } from "../core/ports.ts";
import type { Cursor } from "../core/types.ts";
import type { HeldCameras } from "./held-cameras.ts";
import type { Suspects } from "./suspects.ts";

/** What an outcome means for the delivery (how it is settled) and for its target (whether it may be called again). */
export interface Ruling {
  readonly settlement: Settlement;
  /** `up`: a record was accepted. `away`: leave the target alone. `unknown`: it says nothing about the target. */
  readonly target: "up" | "away" | "unknown";
}

type Retry = Extract<Outcome, { kind: "retry" }>;

export function ruleOn(
  delivery: Delivery,
  outcome: Outcome,
  alone: boolean,
  suspects: Suspects,
  held: HeldCameras,
  random: Random,
): Ruling {
  switch (outcome.kind) {
    case "accepted":
      suspects.accepted(delivery);
      held.accepted(delivery);
      return { settlement: accepted(outcome.remoteId), target: "up" };
    case "rejected":
      suspects.forget(delivery);
      return { settlement: rejected(outcome.error.code, outcome.error.message), target: "unknown" };
    case "retry": {
      const { cursor } = outcome;
      const moved = cursor !== undefined && cursor !== (delivery.cursor ?? "");
      if (outcome.scope === "record") {
        // An emptied cursor starts over, which is no step forward.
        if (moved && cursor !== "") return { settlement: onward(outcome), target: "unknown" };
        if (chargesRecord(outcome.error)) return { settlement: charged(delivery, outcome, random), target: "unknown" };
        const afterMs = holdsCamera(outcome.error)
          ? held.failed(delivery, outcome.error, outcome.afterMs)
          : Math.max(deliverLimits.recordBackoffFirstMs, outcome.afterMs ?? 0);
        return { settlement: waiting(outcome.error, afterMs), target: "unknown" };
      }
      const guilty = suspectsRecord(outcome.error) && suspects.failed(delivery, alone);
      if (guilty) return { settlement: charged(delivery, outcome, random), target: "unknown" };
      return { settlement: moved ? onward(outcome) : { kind: "release" }, target: "away" };
    }
  }
}

function accepted(remoteId: string | undefined): Settlement {
  if (remoteId === undefined) return { kind: "accepted" };
  return { kind: "accepted", remoteId: remoteId.slice(0, spoolLimits.remoteIdCharsMax) };
}

function rejected(code: string, message: string): Settlement {
  return { kind: "rejected", code, message: cut(message) };
}

/** A new cursor is a step of the platform's own protocol, which is no failure; only standing still is charged. */
function onward(outcome: Retry): Settlement {
  const afterMs = waitMs(outcome.afterMs ?? 0);
  return { kind: "retry", afterMs, charged: false, ...errorOf(outcome.error), ...cursorOf(outcome.cursor) };
}

function charged(delivery: Delivery, outcome: Retry, random: Random): Settlement {
  const attempts = delivery.attempts + 1;
  if (attempts >= deliverLimits.attemptsMax) {
    const last = `${outcome.error.code}: ${outcome.error.message}`;
    return rejected("ATTEMPTS_EXHAUSTED", `gave up after ${attempts} tries, the last: ${last}`);
  }
  const { recordBackoffFirstMs, recordBackoffMaxMs } = deliverLimits;
  const ownMs = backoffMs(attempts, recordBackoffFirstMs, recordBackoffMaxMs, random);
  const afterMs = waitMs(Math.max(ownMs, outcome.afterMs ?? 0));
  return { kind: "retry", afterMs, charged: true, ...errorOf(outcome.error), ...cursorOf(outcome.cursor) };
}

/** For a record that is in order: its camera is held, or something of ours is away. */
export function waiting(error: AgentError, afterMs: number): Settlement {
  return { kind: "retry", afterMs: waitMs(afterMs), charged: false, ...errorOf(error) };
}

/** Never at once, whatever a target says: a record whose turn comes back without a pause is a busy loop. */
function waitMs(wantedMs: number): number {
  return Math.min(Math.max(wantedMs, deliverLimits.backoffFirstMs), deliverLimits.retryAfterMaxMs);
}

function errorOf(error: AgentError): { readonly code: string; readonly message: string } {
  return { code: error.code, message: cut(error.message) };
}

function cursorOf(cursor: Cursor | undefined): { readonly cursor?: Cursor } {
  return cursor === undefined ? {} : { cursor };
}

function cut(message: string): string {
  return message.length > spoolLimits.errorCharsMax ? `${message.slice(0, spoolLimits.errorCharsMax - 1)}…` : message;
}
