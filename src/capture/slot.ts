import type { Frame } from "../core/types.ts";
import { Bell } from "./bell.ts";

/** Holds the newest frame that nobody has taken: one place, so that a slow consumer costs frames and never memory. */
export class FrameSlot {
  readonly #asked = new Bell();
  readonly #takers: ((frame: Frame | undefined) => void)[] = [];
  #frame: Frame | undefined;
  #open = true;

  /** True when the frame replaced one that nobody had taken. */
  put(frame: Frame): boolean {
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker(frame);
      return false;
    }
    const replaced = this.#frame !== undefined;
    this.#frame = frame;
    return replaced;
  }

  /** Waits for a frame; undefined once the slot is closed and empty. Callers are served in their order. */
  async take(signal: AbortSignal): Promise<Frame | undefined> {
    signal.throwIfAborted();
    const frame = this.#frame;
    this.#frame = undefined;
    if (frame !== undefined || !this.#open) return frame;
    return new Promise((resolve, reject) => {
      const taker = (taken: Frame | undefined) => {
        signal.removeEventListener("abort", onAbort);
        resolve(taken);
      };
      const onAbort = () => {
        this.#takers.splice(this.#takers.indexOf(taker), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#takers.push(taker);
      this.#asked.ring();
    });
  }

  /** Resolves when somebody waits for a frame. */
  async asked(signal: AbortSignal): Promise<void> {
    while (this.#takers.length === 0) await this.#asked.heard(signal);
  }

  open(): void {
    this.#open = true;
    this.#frame = undefined;
  }

  /** Forgets the frame; whoever waits goes on waiting. */
  empty(): void {
    this.#frame = undefined;
  }

  /** Waiting callers get undefined. A frame in the slot may still be taken. */
  close(): void {
    this.#open = false;
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
