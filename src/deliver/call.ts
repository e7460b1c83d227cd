import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { deliverLimits } from "../core/deliver-limits.ts";
import { type Outcome, outcomeOf } from "../core/outcome.ts";
import type { Delivery, Target } from "../core/ports.ts";

/**
 * One call of a target, with its deadline. Always resolves, with an outcome for every delivery: a throw, a silence and a
 * target that ignores its deadline become outcomes here.
 */
export async function callTarget(
  target: Target,
  deliveries: readonly Delivery[],
  timeoutMs: number,
  clock: Clock,
  stop: AbortSignal,
): Promise<ReadonlyMap<Delivery, Outcome>> {
  const deadline = beginDeadline(clock, timeoutMs, stop);
  const late = () =>
    new AgentError("NET_TIMEOUT", `delivering to ${target.id}: no answer within ${Math.round(timeoutMs / 1000)} s`, {
      disposition: "retry",
    });
  try {
    const answers = await Promise.race([answered(target, deliveries, deadline.signal), deadline.abandoned]);
    if (answers === undefined) return toAll(deliveries, outcomeOf(deadline.expired() ? late() : stopped(target)));
    return new Map(
      deliveries.map((delivery) => {
        const outcome = answers.get(delivery.record.id) ?? outcomeOf(unanswered(target, delivery));
        return [delivery, deadline.expired() && isStopped(outcome) ? outcomeOf(late()) : outcome];
      }),
    );
  } catch (error) {
    const failure = asAgentError(error, `delivering to ${target.id}`);
    if (deadline.expired() && failure.code === "ABORTED") return toAll(deliveries, outcomeOf(late()));
    return toAll(deliveries, outcomeOfThrow(failure, deliveries.length));
  } finally {
    deadline.end();
  }
}

export function imageBytesOf(deliveries: readonly Delivery[]): number {
  return deliveries.reduce((sum, { record }) => sum + record.imageBytes, 0);
}

/** `imageBytes`: of this call and of all that share the line with it. As base64 they are a third more. */
export function callTimeoutMs(imageBytes: number): number {
  return deliverLimits.callTimeoutMs + ((imageBytes * 4) / 3 / deliverLimits.bytesPerSecondMin) * 1_000;
}

interface Deadline {
  readonly signal: AbortSignal;
  /** True when time was up before the loop stopped. */
  readonly expired: () => boolean;
  /** Resolves only when the call goes on although it was aborted. */
  readonly abandoned: Promise<undefined>;
  readonly end: () => void;
}

/** Aborts its signal when time is up or the loop stops, whichever comes first. */
function beginDeadline(clock: Clock, timeoutMs: number, stop: AbortSignal): Deadline {
  const call = new AbortController();
  const over = new AbortController();
  let expired = false;
  // Neither AbortSignal.any nor a listener with a signal of its own: both leave some behind on the loop's long-lived
  // signal (Node 20, 39 of 240,000 calls).
  const aborted = new Promise<void>((resolve) => {
    call.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const abort = () => call.abort();
  stop.addEventListener("abort", abort);
  if (stop.aborted) abort();
  const expire = () => {
    expired = !call.signal.aborted;
    abort();
  };
  clock.sleep(timeoutMs, over.signal).then(expire, ignoreEnd);
  const abandoned = aborted
    .then(() => clock.sleep(deliverLimits.abandonAfterMs, over.signal))
    .then(ignoreEnd, ignoreEnd);
  const end = () => {
    stop.removeEventListener("abort", abort);
    over.abort();
  };
  return { signal: call.signal, expired: () => expired, abandoned, end };
}

/** A timer that ends early because the call did. */
function ignoreEnd(): undefined {
  return undefined;
}

async function answered(target: Target, deliveries: readonly Delivery[], signal: AbortSignal) {
  return target.deliver(deliveries, signal);
}

/**
 * A throw means that nothing was accepted. Thrown at several records it cannot mean one of them: then it counts as the
 * target's failure, which has them sent alone, where each gets an answer of its own.
 */
function outcomeOfThrow(failure: AgentError, deliveries: number): Outcome {
  const outcome = outcomeOf(failure);
  if (deliveries === 1 || (outcome.kind === "retry" && outcome.scope === "target")) return outcome;
  const message = `delivering ${deliveries} records together: ${failure.message}`;
  return outcomeOf(new AgentError("CALL_FAILED", message, { disposition: "retry", cause: failure }));
}

function toAll(deliveries: readonly Delivery[], outcome: Outcome): ReadonlyMap<Delivery, Outcome> {
  return new Map(deliveries.map((delivery) => [delivery, outcome]));
}

function isStopped(outcome: Outcome): boolean {
  return outcome.kind === "retry" && outcome.error.code === "ABORTED";
}

function stopped(target: Target): AgentError {
  return new AgentError("ABORTED", `delivering to ${target.id}: stopped`, { disposition: "retry" });
}

function unanswered(target: Target, delivery: Delivery): AgentError {
  return new AgentError("NOT_ANSWERED", `delivering ${delivery.record.name} to ${target.id}: no outcome came back`, {
    disposition: "retry",
  });
}
