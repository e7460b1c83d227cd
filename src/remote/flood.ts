import type { Clock } from "../core/clock.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import { RateLimit, type Rate } from "./rate-limit.ts";
import type { ReplyAddress } from "./reply.ts";

/** Turns away the requests above the rate limit unread: one answer a second speaks for all of them, also for the last. */
export class Flood {
  readonly #clock: Clock;
  readonly #limit: RateLimit;
  readonly #sayBusy: (address: ReplyAddress, unanswered: number) => void;
  #stopping = new AbortController();
  #telling: Promise<void> | undefined;

  constructor(
    clock: Clock,
    rate: Rate | undefined,
    /** Answers a request that stands for so many. */
    sayBusy: (address: ReplyAddress, unanswered: number) => void,
  ) {
    this.#clock = clock;
    this.#limit = new RateLimit(clock, rate);
    this.#sayBusy = sayBusy;
  }

  start(): void {
    this.#stopping = new AbortController();
  }

  /** Says what is left to say. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#telling;
  }

  /** Whether a request may be read at all. */
  admits(address: ReplyAddress): boolean {
    const pass = this.#limit.take();
    if (pass.kind === "pass") return true;
    this.#turnedAway(pass, address);
    return false;
  }

  /** One that nobody could look at. */
  turnAway(address: ReplyAddress): void {
    this.#turnedAway(this.#limit.turnAway(), address);
  }

  #turnedAway(answer: ReturnType<RateLimit["turnAway"]>, address: ReplyAddress): void {
    if (answer.kind === "busy") this.#sayBusy(address, answer.unanswered);
    else this.#tellRestLater(address);
  }

  /** Those that came after the last such answer are spoken for even if nothing comes any more. */
  #tellRestLater(address: ReplyAddress): void {
    this.#telling ??= this.#clock
      .sleep(remoteLimits.busyEveryMs, this.#stopping.signal)
      .catch(() => undefined)
      .then(() => {
        this.#telling = undefined;
        const rest = this.#limit.rest();
        if (rest !== undefined) this.#sayBusy(address, rest.unanswered);
      });
  }
}
