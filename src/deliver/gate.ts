import type { Clock } from "../core/clock.ts";
import type { UploadBudget } from "./upload-budget.ts";
import type { UploadRate } from "./upload-rate.ts";
import type { UploadWindow } from "./upload-window.ts";

/** Why a target's records are kept back: on an operator's word, or by what the config allows. `local-only`: it lets nothing leave. */
export interface Hold {
  readonly kind: "local-only" | "disabled" | "paused" | "window" | "budget";
  readonly forMs: number;
  /** Where it ends by itself. */
  readonly leftMs?: number;
}

interface GateOptions {
  readonly enabled?: boolean;
  /** Nothing may go there for as long as the agent runs, whatever anybody says. */
  readonly localOnly?: boolean;
  readonly rate?: UploadRate;
}

/** Of the config. What a person asks for waits like all else: a flush is the word that lets it go. */
export interface Restraints {
  readonly window?: UploadWindow | undefined;
  readonly budget?: UploadBudget | undefined;
}

/**
 * Whether calls to one target may begin, by its operator's word; whether the target takes them is the breaker's matter. What
 * has begun is never stopped.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #rate: UploadRate | undefined;
  readonly #localOnlySinceMs: number | undefined;
  /** Monotonic: since when it is so. */
  #disabledAtMs: number | undefined;
  #pausedAtMs = 0;
  #pausedUntilMs: number | undefined;
  /** Deliveries that may pass a pause and a window. */
  #flushLeft = 0;
  /** And of these, those that may go beyond a budget. */
  #overBudgetLeft = 0;
  #restraints: Restraints = {};
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, { enabled = true, localOnly = false, rate }: GateOptions = {}) {
    this.#clock = clock;
    this.#rate = rate;
    this.#localOnlySinceMs = localOnly ? clock.monotonicMs() : undefined;
    this.enable(enabled);
  }

  enable(enabled: boolean): void {
    if (enabled) this.#disabledAtMs = undefined;
    else this.#disabledAtMs ??= this.#clock.monotonicMs();
    this.wake();
  }

  /** Beside what an operator says. */
  restrain(restraints: Restraints): void {
    this.#restraints = restraints;
    this.wake();
  }

  /** Monotonic, also Infinity; undefined ends the pause. */
  pauseUntil(untilMs: number | undefined): void {
    if (this.#pausedUntilMs === undefined) this.#pausedAtMs = this.#clock.monotonicMs();
    this.#pausedUntilMs = untilMs;
    this.#endFlush();
    this.wake();
  }

  /** Lets so many deliveries pass a pause and a window, or fewer where fewer are due; a budget only when told. */
  flush(deliveriesMax: number, { overBudget = false }: { readonly overBudget?: boolean } = {}): void {
    const kind = this.hold()?.kind;
    const mayPass = kind === "paused" || kind === "window" || (overBudget && kind !== "disabled");
    if (mayPass) this.#flushLeft = deliveriesMax;
    this.#overBudgetLeft = mayPass && overBudget ? deliveriesMax : 0;
    this.wake();
  }

  get isFlushing(): boolean {
    return this.#flushLeft > 0;
  }

  /** So many were leased to be sent; none ends a flush. */
  leased(deliveries: number): void {
    if (deliveries === 0 || !this.isFlushing) this.#endFlush();
    else this.#flushLeft = Math.max(0, this.#flushLeft - deliveries);
  }

  hold(): Hold | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (this.#localOnlySinceMs !== undefined) return { kind: "local-only", forMs: nowMs - this.#localOnlySinceMs };
    if (this.#disabledAtMs !== undefined) return { kind: "disabled", forMs: nowMs - this.#disabledAtMs };
    if (this.#pausedUntilMs !== undefined && this.#pausedUntilMs > nowMs && !this.isFlushing) {
      const leftMs = this.#pausedUntilMs - nowMs;
      return { kind: "paused", forMs: nowMs - this.#pausedAtMs, ...(leftMs === Infinity ? {} : { leftMs }) };
    }
    const spent = this.#overBudgetLeft > 0 ? undefined : this.#restraints.budget?.hold();
    if (spent !== undefined) return { kind: "budget", forMs: spent.forMs, leftMs: spent.leftMs };
    const closed = this.isFlushing ? undefined : this.#restraints.window?.hold();
    return closed === undefined ? undefined : { kind: "window", ...closed };
  }

  /** Until a call may begin; Infinity until somebody lets it, or a call ends that may use up the budget. */
  waitMs(): number {
    const hold = this.hold();
    if (hold !== undefined) return hold.leftMs ?? Infinity;
    return this.mayCall() ? (this.#rate?.waitMs() ?? 0) : Infinity;
  }

  /** To be asked right before a call: of several targets, each was told before that something is left. */
  mayCall(): boolean {
    return this.#overBudgetLeft > 0 || (this.#restraints.budget?.mayCall() ?? true);
  }

  callBytesMax(): number {
    return this.#rate?.callBytesMax() ?? Infinity;
  }

  begins(deliveries: number, imageBytes: number): void {
    this.#overBudgetLeft = Math.max(0, this.#overBudgetLeft - deliveries);
    this.#rate?.spent(imageBytes);
    this.#restraints.budget?.begins(imageBytes);
  }

  ended(imageBytes: number): void {
    this.#restraints.budget?.ended(imageBytes);
  }

  wake(): void {
    for (const resolve of this.#waiting) resolve();
  }

  /** Resolves when something was changed, or after `ms`. Fails when aborted. */
  async changed(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const over = new AbortController();
    const stop = (): void => over.abort();
    signal.addEventListener("abort", stop, { once: true });
    let woken = stop;
    await new Promise<void>((resolve) => {
      woken = resolve;
      this.#waiting.add(resolve);
      over.signal.addEventListener("abort", () => resolve(), { once: true });
      if (ms < Infinity) this.#clock.sleep(ms, over.signal).then(resolve, resolve);
    });
    this.#waiting.delete(woken);
    signal.removeEventListener("abort", stop);
    over.abort();
    signal.throwIfAborted();
  }

  #endFlush(): void {
    this.#flushLeft = 0;
    this.#overBudgetLeft = 0;
  }
}
