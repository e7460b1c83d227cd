import { AgentError, asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import type { Clock } from "../core/clock.ts";
import type { Outgoing, Sender } from "./sender.ts";

export interface Letter extends Outgoing {
  /** An event may be given up for a reply where there is no room. */
  readonly kind: "reply" | "event";
  /** Where it goes when this client may not write to its topic. */
  readonly otherTopic?: string;
  /** Once: the broker has it, or it can never go. */
  readonly settled?: (error?: AgentError) => void;
}

/**
 * Replies and events on their way to the broker, in their order: they wait while it is away, and go again when the
 * connection broke before it had answered.
 */
export class Outbox {
  readonly #sender: Sender;
  readonly #clock: Clock;
  readonly #letters: Letter[] = [];
  /** Those that this client may not send for now. */
  readonly #parked: Letter[] = [];
  readonly #refusedSinceMs = new WeakMap<Letter, number>();
  #lookedMs = 0;
  #bytes = 0;
  #dropped = 0;
  #lastError: AgentError | undefined;
  #wake: () => void = () => {};
  #idle: () => void = () => {};

  constructor(sender: Sender, clock: Clock) {
    this.#sender = sender;
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#letters.length + this.#parked.length;
  }

  /** Letters that were given up: for want of room, or because the broker never takes them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Why the last of them was given up. */
  get lastError(): AgentError | undefined {
    return this.#lastError;
  }

  put(letter: Letter): void {
    this.#letters.push(letter);
    this.#bytes += bytesOf(letter);
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
    while (!signal.aborted) {
      this.#unpark();
      const [letter] = this.#letters;
      if (letter === undefined) {
        this.#idle();
        await this.#wakened(signal);
      } else await this.#send(letter, signal);
    }
  }

  async #wakened(signal: AbortSignal): Promise<void> {
    if (this.#parked.length === 0) {
      let wake = () => {};
      await new Promise<void>((resolve) => {
        this.#wake = wake = resolve;
        signal.addEventListener("abort", wake, { once: true });
      });
      signal.removeEventListener("abort", wake);
      return;
    }
    const put = new Promise<void>((resolve) => (this.#wake = resolve));
    const waiting = new AbortController();
    const stop = () => waiting.abort();
    signal.addEventListener("abort", stop, { once: true });
    await Promise.race([put, this.#clock.sleep(remoteLimits.refusedRetryMs, waiting.signal).catch(() => undefined)]);
    stop();
    signal.removeEventListener("abort", stop);
  }

  async #send(letter: Letter, signal: AbortSignal): Promise<void> {
    try {
      await this.#sender.connected(signal);
      await this.#sender.send(letter, signal);
      this.#remove(letter);
      letter.settled?.();
    } catch (error) {
      const failure = asAgentError(error, `publish to ${letter.topic}`);
      if (signal.aborted) return;
      if (failure.disposition === "retry") await this.#clock.sleep(retryMs, signal).catch(() => undefined);
      else {
        this.#remove(letter);
        if (failure.code === "MQTT_NOT_AUTHORISED") this.#park(letter, failure);
        else this.#drop(letter, failure);
      }
    }
  }

  /** Someone may mend the access list; what is behind goes on meanwhile. */
  #park(letter: Letter, error: AgentError): void {
    const { otherTopic, ...rest } = letter;
    if (otherTopic !== undefined) {
      this.#letters.unshift({ ...rest, topic: otherTopic });
      this.#bytes += bytesOf(letter);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.#refusedSinceMs.get(letter) ?? nowMs;
    const isOld = nowMs - sinceMs > remoteLimits.replyExpirySeconds * 1_000;
    if (letter.kind === "event" || isOld || this.#parked.length >= remoteLimits.parkedMax) {
      this.#drop(letter, error);
      return;
    }
    if (this.#parked.length === 0) this.#lookedMs = nowMs;
    this.#refusedSinceMs.set(letter, sinceMs);
    this.#parked.push(letter);
  }

  #unpark(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#parked.length === 0 || nowMs - this.#lookedMs < remoteLimits.refusedRetryMs) return;
    this.#lookedMs = nowMs;
    for (const letter of this.#parked.splice(0)) this.put(letter);
  }

  /** Never the first, which may be under way. */
  #giveUpOne(): void {
    const event = this.#letters.findIndex(({ kind }, at) => kind === "event" && at > 0);
    const [letter] = this.#letters.splice(event === -1 ? 1 : event, 1);
    if (letter === undefined) return;
    this.#bytes -= bytesOf(letter);
    const full = `publish to ${letter.topic}: too much waits for the broker`;
    this.#drop(letter, new AgentError("OUTBOX_FULL", full, { disposition: "reject" }));
  }

  #drop({ settled }: Letter, error: AgentError): void {
    this.#dropped += 1;
    this.#lastError = error;
    settled?.(error);
  }

  #remove(letter: Letter): void {
    const at = this.#letters.indexOf(letter);
    if (at === -1) return;
    this.#letters.splice(at, 1);
    this.#bytes -= bytesOf(letter);
  }
}

/** What a caller wants to have echoed may be larger than the rest. */
function bytesOf({ payload, options }: Letter): number {
  return payload.length + (options.properties?.correlationData?.length ?? 0);
}

/** The link paces its own reconnecting; this only keeps a broker that refuses from being asked at once again. */
const retryMs = 1_000;
