import { z } from "zod";
import { identifier } from "../../config/values.ts";
import type { DeliveryHealth, UploadBudgetHealth } from "../../core/health.ts";
import { command, type Command, type CommandSpec } from "../command.ts";

/** Why nothing is being uploaded now, target by target. */

const args = z.strictObject({ target: identifier.optional().describe("Every target when left out") });

export const explainUploadSpec = {
  name: "explain.upload",
  summary: "Says of each target why nothing is being sent to it now, or that something is.",
  scope: "read",
  args,
  effect: false,
  example: {},
  answer:
    "targets: each with reason (stopped, local-only, disabled, paused, budget, window, empty, credentials, breaker, limit, backoff or sending), message, forMs, nextTryInMs, pending",
} as const satisfies CommandSpec<typeof args>;

export const explainUploadSpecs: readonly CommandSpec[] = [explainUploadSpec];

export const uploadReasons = [
  "stopped",
  "local-only",
  "disabled",
  "paused",
  "budget",
  "window",
  "empty",
  "credentials",
  "breaker",
  "limit",
  "backoff",
  "sending",
] as const;

export interface UploadFacts {
  readonly delivery: Pick<
    DeliveryHealth,
    | "targetId"
    | "state"
    | "forMs"
    | "retryInMs"
    | "pausedForMs"
    | "opensInMs"
    | "awayBecause"
    | "lastError"
    | "inFlight"
  >;
  readonly pending: number;
  readonly quarantined: number;
  /** Until the upload limit lets the next call begin. */
  readonly limitWaitMs: number;
  readonly budget?: UploadBudgetHealth;
  /** Until a pending delivery is due; undefined where that is not known. */
  readonly dueInMs?: number;
}

export interface UploadExplanation {
  readonly target: string;
  readonly reason: (typeof uploadReasons)[number];
  /** One sentence for a person. */
  readonly message: string;
  readonly pending: number;
  /** How long it has been so, where that is known. */
  readonly forMs?: number;
  readonly nextTryInMs?: number;
  /** Stable code of what the target answered. */
  readonly error?: string;
}

export interface ExplainUploadPort {
  /** Fails with `TARGET_UNKNOWN`. */
  facts(target: string | undefined): Promise<readonly UploadFacts[]>;
}

export function explainUploadCommands(port: ExplainUploadPort): readonly Command[] {
  return [
    command(explainUploadSpec, async ({ target }) => ({ targets: (await port.facts(target)).map(explainUpload) })),
  ];
}

/** The first thing that would have to change. */
export function explainUpload(facts: UploadFacts): UploadExplanation {
  const { delivery, pending } = facts;
  const { forMs, nextTryInMs, ...why } = whyNot(facts);
  return {
    target: delivery.targetId,
    ...why,
    pending,
    ...(forMs === undefined ? {} : { forMs: Math.round(forMs) }),
    ...(nextTryInMs === undefined ? {} : { nextTryInMs: Math.max(0, Math.round(nextTryInMs)) }),
  };
}

interface Why extends Pick<UploadExplanation, "reason" | "message" | "error"> {
  readonly forMs?: number | undefined;
  readonly nextTryInMs?: number | undefined;
}

function whyNot(facts: UploadFacts): Why {
  const { delivery, pending, quarantined, limitWaitMs, dueInMs = 0 } = facts;
  const { state, forMs, inFlight, lastError } = delivery;
  if (state === "stopped") return { reason: "stopped", message: "The agent is stopping." };
  if (state === "local-only") {
    return {
      reason: "local-only",
      forMs,
      message: "privacy.localOnly of the config keeps everything on this machine.",
    };
  }
  if (state === "disabled") {
    return { reason: "disabled", forMs, message: "The target is disabled in the config; target.enable lets it go on." };
  }
  if (state === "paused") return paused(delivery);
  if (state === "budget") return overBudget(facts);
  if (state === "window") return closed(delivery);
  if (pending === 0) {
    const aside = quarantined === 0 ? "" : ` ${quarantined} deliveries are set aside; quarantine.list says why.`;
    return { reason: "empty", message: `Nothing is owed to it.${aside}` };
  }
  if (state === "away") return away(delivery);
  if (inFlight > 0) return { reason: "sending", message: "Records are being sent just now." };
  if (limitWaitMs > 0) {
    return { reason: "limit", nextTryInMs: limitWaitMs, message: "The upload limit is used up for the moment." };
  }
  if (dueInMs > 0) {
    const because = lastError === undefined ? "" : ` (${lastError.code})`;
    const message = `Every record that waits was put off after a failure of its own${because}.`;
    return { reason: "backoff", nextTryInMs: dueInMs, message, ...(lastError && { error: lastError.code }) };
  }
  return { reason: "sending", message: "The next records are about to be sent." };
}

function paused({ forMs, pausedForMs, inFlight }: UploadFacts["delivery"]): Why {
  const until = pausedForMs === undefined ? "until upload.resume" : "for a time; upload.resume ends it";
  const last = inFlight === 0 ? "" : " What is on its way arrives.";
  return { reason: "paused", forMs, nextTryInMs: pausedForMs, message: `An operator has paused it ${until}.${last}` };
}

function overBudget({ delivery: { forMs, opensInMs }, budget = {} }: UploadFacts): Why {
  const period = budget.monthBytesLeft === 0 ? "month" : "day";
  const message = `What may be sent in a ${period} has been sent; queue.flush with overBudget sends all the same.`;
  return { reason: "budget", forMs, nextTryInMs: opensInMs, message };
}

function closed({ forMs, opensInMs, inFlight }: UploadFacts["delivery"]): Why {
  const last = inFlight === 0 ? "" : " What is on its way arrives.";
  const message = `It is outside of the upload schedule; queue.flush sends what waits all the same.${last}`;
  return { reason: "window", forMs, nextTryInMs: opensInMs, message };
}

function away({ forMs, retryInMs, awayBecause }: UploadFacts["delivery"]): Why {
  const { code = "unknown", message = "", needsPerson = false } = awayBecause ?? {};
  const said = `${message} (${code})`;
  return needsPerson
    ? {
        reason: "credentials",
        forMs,
        nextTryInMs: retryInMs,
        error: code,
        message: `A person has to mend it: ${said}.`,
      }
    : { reason: "breaker", forMs, nextTryInMs: retryInMs, error: code, message: `The target is away: ${said}.` };
}
