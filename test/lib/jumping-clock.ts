import { VirtualClock } from "./virtual-clock.ts";

/** Virtual time whose wall clock can be set at any moment, as a time source or a dead battery does. */
export class JumpingClock extends VirtualClock {
  #offsetMs: number;

  constructor(startMs: number) {
    super();
    this.#offsetMs = 0;
    this.set(startMs);
  }

  override nowMs(): number {
    return super.nowMs() + this.#offsetMs;
  }

  set(nowMs: number): void {
    this.#offsetMs += nowMs - this.nowMs();
  }

  jump(ms: number): void {
    this.#offsetMs += ms;
  }
}
