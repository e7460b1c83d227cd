import { AgentError } from "../core/errors.ts";

interface Waiter {
  readonly bytes: number;
  readonly enter: () => void;
  readonly refuse: (error: AgentError) => void;
}

export interface WindowLimits {
  readonly placesMax: number;
  /** A single message above it goes alone. */
  readonly bytesMax: number;
  readonly waitingMax: number;
}

/** How much may be under way at once. Those who wait enter in the order in which they came. */
export class SendWindow {
  readonly #limits: WindowLimits;
  #waiting: Waiter[] = [];
  #places = 0;
  #bytes = 0;
  #closed: AgentError | undefined;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Bytes under way. */
  bytes(): number {
    return this.#bytes;
  }

  /** Fails with `MQTT_BUSY` when too many wait already, and with the error of `close` once closed. */
  async enter(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#take(bytes);
      return;
    }
    if (this.#waiting.length >= this.#limits.waitingMax) {
      throw new AgentError("MQTT_BUSY", `wait for a place to publish: ${this.#waiting.length} wait already`, {
        disposition: "retry",
      });
    }
    await this.#wait(bytes, signal);
  }

  leave(bytes: number): void {
    this.#places -= 1;
    this.#bytes -= bytes;
    this.#admit();
  }

  /** Refuses everyone who waits or comes later. */
  close(error: AgentError): void {
    this.#closed = error;
    const refused = this.#waiting;
    this.#waiting = [];
    for (const waiter of refused) waiter.refuse(error);
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    let giveUp = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        const waiter: Waiter = { bytes, enter: resolve, refuse: reject };
        giveUp = () => {
          this.#waiting = this.#waiting.filter((other) => other !== waiter);
          reject(new AgentError("ABORTED", "wait for a place to publish: stopped", { disposition: "retry" }));
          this.#admit();
        };
        signal.addEventListener("abort", giveUp, { once: true });
        this.#waiting.push(waiter);
      });
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  #admit(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || !this.#fits(next.bytes)) return;
      this.#waiting.shift();
      this.#take(next.bytes);
      next.enter();
    }
  }

  #fits(bytes: number): boolean {
    if (this.#places === 0) return true;
    return this.#places < this.#limits.placesMax && this.#bytes + bytes <= this.#limits.bytesMax;
  }

  #take(bytes: number): void {
    this.#places += 1;
    this.#bytes += bytes;
  }
}
