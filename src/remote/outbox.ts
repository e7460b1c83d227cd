import { asAgentError, type AgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/limits.ts";
import type { Clock } from "../core/clock.ts";
import type { PublishOptions } from "../link/mqtt-packet.ts";

export interface Letter {
  readonly topic: string;
  readonly payload: Buffer;
  readonly options: PublishOptions;
  /** An event may be given up for a reply where there is no room. */
  readonly kind: "reply" | "event";
  /** Once: the broker has it, or it can never go. */
  readonly settled?: (error?: AgentError) => void;
}

/** The part of the link that is used. */
export interface Post {
  connected(signal: AbortSignal): Promise<void>;
  publish(topic: string, payload: Buffer, options: PublishOptions, signal: AbortSignal): Promise<void>;
}

/**
 * Replies and events on their way to the broker, in their order: they wait while it is away, and go again when the
 * connection broke before it had answered.
 */
export class Outbox {
  readonly #post: Post;
  readonly #clock: Clock;
  readonly #letters: Letter[] = [];
  #bytes = 0;
  #dropped = 0;
  #wake: () => void = () => {};
  #idle: () => void = () => {};

  constructor(post: Post, clock: Clock) {
    this.#post = post;
    this.#clock = clock;
  }

  /** Letters that were given up for want of room. */
  get dropped(): number {
    return this.#dropped;
  }

  put(letter: Letter): void {
    this.#letters.push(letter);
    this.#bytes += letter.payload.length;
    const { outboxMax, outboxBytesMax } = remoteLimits;
    while (this.#letters.length > 1 && (this.#letters.length > outboxMax || this.#bytes > outboxBytesMax)) {
      this.#giveUpOne();
    }
    this.#wake();
  }

  /** Resolves when nothing waits, or when `signal` aborts. */
  async emptied(signal: AbortSignal): Promise<void> {
    while (this.#letters.length > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      const [letter] = this.#letters;
      if (letter === undefined) {
        this.#idle();
        await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), stopped]);
      } else await this.#send(letter, signal);
    }
  }

  async #send(letter: Letter, signal: AbortSignal): Promise<void> {
    try {
      await this.#post.connected(signal);
      await this.#post.publish(letter.topic, letter.payload, letter.options, signal);
      this.#remove(letter);
      letter.settled?.();
    } catch (error) {
      const failure = asAgentError(error, `publish to ${letter.topic}`);
      if (signal.aborted) return;
      if (failure.disposition === "retry") {
        await this.#clock.sleep(retryMs, signal).catch(() => undefined);
        return;
      }
      this.#remove(letter);
      letter.settled?.(failure);
    }
  }

  /** Never the first, which may be under way. */
  #giveUpOne(): void {
    const event = this.#letters.findIndex(({ kind }, at) => kind === "event" && at > 0);
    const [letter] = this.#letters.splice(event === -1 ? 1 : event, 1);
    if (letter === undefined) return;
    this.#bytes -= letter.payload.length;
    this.#dropped += 1;
  }

  #remove(letter: Letter): void {
    const at = this.#letters.indexOf(letter);
    if (at === -1) return;
    this.#letters.splice(at, 1);
    this.#bytes -= letter.payload.length;
  }
}

/** The link paces its own reconnecting; this only keeps a broker that refuses from being asked at once again. */
const retryMs = 1_000;
