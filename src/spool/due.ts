import type { Clock } from "../core/clock.ts";
import { AgentError } from "../core/errors.ts";

/** A timer of Node's overflows after 24.8 days and then fires at once. */
const sleepMaxMs = 60 * 60_000;

interface Target {
  mayBeDue: boolean;
  /** Monotonic. */
  nextAtMs: number;
  readonly waiting: Set<() => void>;
}

/**
 * Who may have something to lease, without asking the index. A target counts as due until a lease found its queue
 * empty; every event that puts something into the queue makes it due again. The order in `leasing` matters: what
 * arrives while a lease is under way must not be forgotten.
 */
export class DueSignals {
  readonly #clock: Clock;
  readonly #targets = new Map<string, Target>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something was appended, released, or is left over. */
  wake(targetId: string): void {
    const target = this.#of(targetId);
    target.mayBeDue = true;
    for (const resolve of target.waiting) resolve();
  }

  wakeAll(): void {
    for (const targetId of this.#targets.keys()) this.wake(targetId);
  }

  /** Something becomes ready at this monotonic time. */
  wakeAt(targetId: string, atMs: number): void {
    const target = this.#of(targetId);
    if (atMs >= target.nextAtMs) return;
    target.nextAtMs = atMs;
    for (const resolve of target.waiting) resolve();
  }

  /** Call before the index is asked. */
  leasing(targetId: string): void {
    const target = this.#of(targetId);
    target.mayBeDue = false;
    target.nextAtMs = Infinity;
  }

  /** Until the next lease may find something; undefined where nothing is known to become ready. */
  inMs(targetId: string): number | undefined {
    const { mayBeDue, nextAtMs } = this.#of(targetId);
    if (mayBeDue) return 0;
    return nextAtMs === Infinity ? undefined : Math.max(0, nextAtMs - this.#clock.monotonicMs());
  }

  /** Ends every wait, now and later, with `SPOOL_STOPPED`. */
  close(): void {
    this.#closed = true;
    for (const target of this.#targets.values()) for (const resolve of target.waiting) resolve();
  }

  async wait(targetId: string, signal: AbortSignal): Promise<void> {
    const target = this.#of(targetId);
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) throw stopped("wait");
      const leftMs = target.nextAtMs - this.#clock.monotonicMs();
      if (target.mayBeDue || leftMs <= 0) return;
      await this.#changeOrDelay(target, leftMs, signal);
    }
  }

  /** Without AbortSignal.any: on Node 20 each use leaves a reference in the long-lived signal behind. */
  async #changeOrDelay(target: Target, leftMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    signal.addEventListener("abort", stop, { once: true });
    let waiting = stop;
    await new Promise<void>((resolve) => {
      waiting = resolve;
      target.waiting.add(resolve);
      over.signal.addEventListener("abort", () => resolve(), { once: true });
      if (leftMs < Infinity) this.#clock.sleep(Math.min(leftMs, sleepMaxMs), over.signal).then(resolve, resolve);
    });
    target.waiting.delete(waiting);
    signal.removeEventListener("abort", stop);
    over.abort();
  }

  #of(targetId: string): Target {
    const known = this.#targets.get(targetId);
    if (known !== undefined) return known;
    const target: Target = { mayBeDue: true, nextAtMs: Infinity, waiting: new Set() };
    this.#targets.set(targetId, target);
    return target;
  }
}

export function stopped(attempted: string): AgentError {
  return new AgentError("SPOOL_STOPPED", `${attempted}: the spool is not running`, { disposition: "retry" });
}
