import type { Clock } from "./clock.ts";

/** Until when a loop wants to be heard again, at the latest; what is overdue is stuck. */
export interface Late {
  readonly name: string;
  readonly byMs: number;
}

/**
 * Whether the loops of the agent turn. Each says "I am alive, and will say so again within so much time", also while it
 * waits rightly: for a camera that is away, for a closed network, for its hours. So a loop that is late is a fault of
 * ours, which a restart may mend, and nothing else is.
 */
export class Pulses {
  readonly periodMs: number;
  readonly #clock: Clock;
  readonly #beating = new Set<WatchedPulse>();

  /** `periodMs`: how long a loop may be silent that has nothing long to do. */
  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock;
    this.periodMs = periodMs;
  }

  /** A loop begins, and has beaten. */
  begin(name: string): Pulse {
    const pulse = new WatchedPulse(name, this.#clock, this.periodMs, () => this.#beating.delete(pulse));
    this.#beating.add(pulse);
    return pulse;
  }

  /** Those that should have been heard of by now. */
  late(): readonly Late[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#beating]
      .filter(({ dueMs }) => dueMs < nowMs)
      .map(({ name, dueMs }) => ({ name, byMs: nowMs - dueMs }));
  }
}

export interface Pulse {
  /** Alive, and to be heard of again a period after what is done next, which may take `busyMs`. */
  beat(busyMs?: number): void;
  /** Sleeps, and beats meanwhile. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Waits for what may take for ever. `wait` is ended and begun anew from time to time: one that hears nothing is late. */
  wait<T>(signal: AbortSignal, wait: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** The longest that the loop may wait for anything without a word. */
  readonly restMs: number;
  /** The loop is over, and nobody waits for its beat any more. */
  end(): void;
}

class WatchedPulse implements Pulse {
  readonly name: string;
  readonly restMs: number;
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #onEnd: () => void;
  dueMs = 0;

  constructor(name: string, clock: Clock, periodMs: number, onEnd: () => void) {
    this.name = name;
    this.restMs = periodMs / 2;
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#onEnd = onEnd;
    this.beat();
  }

  beat(busyMs = 0): void {
    this.dueMs = this.#clock.monotonicMs() + busyMs + this.#periodMs;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    const endMs = this.#clock.monotonicMs() + ms;
    let leftMs = ms;
    do {
      this.beat();
      await this.#clock.sleep(Math.min(leftMs, this.restMs), signal);
      leftMs = endMs - this.#clock.monotonicMs();
    } while (leftMs > 0);
    this.beat();
  }

  async wait<T>(signal: AbortSignal, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (;;) {
      this.beat();
      signal.throwIfAborted();
      const turn = new AbortController();
      const over = new AbortController();
      const onAbort = () => turn.abort(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#clock.sleep(this.restMs, over.signal).then(
        () => turn.abort(anotherTurn),
        () => undefined,
      );
      try {
        const found = await wait(turn.signal);
        this.beat();
        return found;
      } catch (error) {
        if (turn.signal.reason !== anotherTurn) throw error;
      } finally {
        signal.removeEventListener("abort", onAbort);
        over.abort();
      }
    }
  }

  end(): void {
    this.#onEnd();
  }
}

/** Made once, because it is the reason of every turn's end. */
const anotherTurn = new Error("the wait begins anew");

/** Of a loop that nobody watches: in a command that ends by itself, in a test. */
export class UnwatchedPulse implements Pulse {
  readonly restMs = Infinity;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  beat(): void {
    return undefined;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
  }

  async wait<T>(signal: AbortSignal, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return wait(signal);
  }

  end(): void {
    return undefined;
  }
}

export function beginPulse(
  { clock, pulses }: { readonly clock: Clock; readonly pulses?: Pulses },
  name: string,
): Pulse {
  return pulses?.begin(name) ?? new UnwatchedPulse(clock);
}
