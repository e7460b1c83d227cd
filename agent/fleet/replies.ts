import type { Clock } from "../../src/core/clock.ts";
import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { isFinal } from "../../src/remote/reply.ts";
import { replyOf, type ShownReply } from "./reply-message.ts";

export interface FinalReply {
  readonly reply: ShownReply;
  /** From the request to this reply. */
  readonly afterMs: number;
}

/** The replies to one request that went to one device or to many, and who has not answered. */
export class Replies {
  readonly #id: string;
  readonly #clock: Clock;
  readonly #onReply: (reply: ShownReply, afterMs: number) => void;
  readonly #sentMs = new Map<string, number>();
  readonly #finals = new Map<string, FinalReply>();
  readonly #startedMs: number;
  #changed: () => void = () => {};

  constructor(id: string, clock: Clock, onReply: (reply: ShownReply, afterMs: number) => void) {
    this.#id = id;
    this.#clock = clock;
    this.#onReply = onReply;
    this.#startedMs = clock.monotonicMs();
  }

  /** To be called before the request is sent. */
  expect(device: string): void {
    this.#sentMs.set(device, this.#clock.monotonicMs());
  }

  /** A device that cannot be reached: its answer is not waited for, and counts as missing. */
  giveUpOn(device: string): void {
    this.#sentMs.set(device, Infinity);
  }

  take(message: MqttMessage): void {
    const reply = replyOf(message);
    // Another caller's: on MQTT 3.1.1 all replies come on the device's own topic. One reply for many has no id.
    if (reply === undefined) return;
    if (reply.id !== this.#id && !(reply.id === undefined && message.correlationData?.toString() === this.#id)) return;
    const sentMs = this.#sentMs.get(reply.device) ?? this.#startedMs;
    const afterMs = this.#clock.monotonicMs() - (sentMs === Infinity ? this.#startedMs : sentMs);
    if (this.#finals.has(reply.device)) return;
    if (isFinal({ state: reply.state, code: "ok" })) this.#finals.set(reply.device, { reply, afterMs });
    this.#onReply(reply, afterMs);
    this.#changed();
  }

  finals(): readonly FinalReply[] {
    return [...this.#finals.values()].sort((one, other) => (one.reply.device < other.reply.device ? -1 : 1));
  }

  /** Final, and not `done`. */
  failures(): number {
    return this.finals().filter(({ reply }) => reply.state !== "done").length;
  }

  missing(): readonly string[] {
    return [...this.#sentMs.keys()].filter((device) => !this.#finals.has(device)).sort();
  }

  /** Resolves with true when all that can answer have, with false after `timeoutMs`. Fails when `signal` aborts. */
  async complete(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const ended = new AbortController();
    const end = () => ended.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    const timeout = this.#clock.sleep(timeoutMs, ended.signal).then(
      () => "late" as const,
      () => "stopped" as const,
    );
    try {
      for (;;) {
        if (this.#isComplete()) return true;
        const changed = new Promise<"changed">((resolve) => (this.#changed = () => resolve("changed")));
        const what = await Promise.race([changed, timeout]);
        if (what === "changed") continue;
        signal.throwIfAborted();
        return false;
      }
    } finally {
      signal.removeEventListener("abort", end);
      ended.abort();
    }
  }

  /** Where nobody is expected, whoever wants to answer has all the time. */
  #isComplete(): boolean {
    const reachable = [...this.#sentMs].filter(([, sentMs]) => sentMs !== Infinity);
    return this.#sentMs.size > 0 && reachable.every(([device]) => this.#finals.has(device));
  }
}
