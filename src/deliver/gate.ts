import type { Clock } from "../core/clock.ts";
import type { UploadRate } from "./upload-rate.ts";

/** Why an operator keeps a target's records back. `local-only`: the config lets nothing leave the machine. */
export interface Hold {
  readonly kind: "local-only" | "disabled" | "paused";
  readonly forMs: number;
  /** Of a pause that ends by itself. */
  readonly leftMs?: number;
}

interface GateOptions {
  readonly enabled?: boolean;
  /** Nothing may go there for as long as the agent runs, whatever anybody says. */
  readonly localOnly?: boolean;
  readonly rate?: UploadRate;
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
  /** Deliveries that may pass a pause. */
  #flushLeft = 0;
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

  /** Monotonic, also Infinity; undefined ends the pause. */
  pauseUntil(untilMs: number | undefined): void {
    if (this.#pausedUntilMs === undefined) this.#pausedAtMs = this.#clock.monotonicMs();
    this.#pausedUntilMs = untilMs;
    this.#flushLeft = 0;
    this.wake();
  }

  /** Lets so many deliveries pass a pause, or fewer where fewer are due. */
  flush(deliveriesMax: number): void {
    if (this.hold()?.kind === "paused") this.#flushLeft = deliveriesMax;
    this.wake();
  }

  get isFlushing(): boolean {
    return this.#flushLeft > 0;
  }

  /** So many were leased to be sent; none ends a flush. */
  leased(deliveries: number): void {
    this.#flushLeft = deliveries === 0 ? 0 : Math.max(0, this.#flushLeft - deliveries);
  }

  hold(): Hold | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (this.#localOnlySinceMs !== undefined) return { kind: "local-only", forMs: nowMs - this.#localOnlySinceMs };
    if (this.#disabledAtMs !== undefined) return { kind: "disabled", forMs: nowMs - this.#disabledAtMs };
    if (this.#pausedUntilMs === undefined || this.isFlushing || this.#pausedUntilMs <= nowMs) return undefined;
    const leftMs = this.#pausedUntilMs - nowMs;
    return { kind: "paused", forMs: nowMs - this.#pausedAtMs, ...(leftMs === Infinity ? {} : { leftMs }) };
  }

  /** Until a call may begin; Infinity until somebody lets it. */
  waitMs(): number {
    const hold = this.hold();
    return hold === undefined ? (this.#rate?.waitMs() ?? 0) : (hold.leftMs ?? Infinity);
  }

  callBytesMax(): number {
    return this.#rate?.callBytesMax() ?? Infinity;
  }

  calls(bytes: number): void {
    this.#rate?.spent(bytes);
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
}
