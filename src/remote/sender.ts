import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import { publishBytes, type PublishOptions } from "../link/mqtt-packet.ts";

export interface Content {
  readonly payload: Buffer;
  readonly options: PublishOptions;
}

export interface Outgoing extends Content {
  readonly topic: string;
  /** What goes instead where the broker finds it too large: one after the other, each smaller than the one before. */
  readonly shorter?: readonly (() => Partial<Content>)[];
}

/** The part of the link that is used. */
export interface Post {
  connected(signal: AbortSignal): Promise<void>;
  publish(topic: string, payload: Buffer, options: PublishOptions, signal: AbortSignal): Promise<void>;
}

/**
 * Sends, and knows what this broker refuses. Some say that a message is too large, some end the connection over it and
 * would do so for ever: a message that does that again and again is shortened, or given up.
 */
export class Sender {
  readonly #post: Post;
  readonly #clock: Clock;
  readonly #refusedTopics = new Set<string>();
  /** Connections in a row that ended while a packet was under way; by its topic and size. */
  readonly #kills = new Map<string, number>();
  #refusedBytes = Infinity;
  #refusedAtMs = 0;

  constructor(post: Post, clock: Clock) {
    this.#post = post;
    this.#clock = clock;
  }

  /** Where the broker lets this client not write, as far as it says so. */
  get refusedTopics(): readonly string[] {
    return [...this.#refusedTopics];
  }

  /** The smallest packet that was refused for its size. */
  get refusedBytes(): number | undefined {
    if (this.#clock.monotonicMs() - this.#refusedAtMs > remoteLimits.refusedSizeForgetMs) this.#refusedBytes = Infinity;
    return this.#refusedBytes === Infinity ? undefined : this.#refusedBytes;
  }

  connected(signal: AbortSignal): Promise<void> {
    return this.#post.connected(signal);
  }

  /** Fails with the disposition `retry` where it may go later; with another one it never goes. */
  async send(outgoing: Outgoing, signal: AbortSignal): Promise<void> {
    const { topic, shorter = [] } = outgoing;
    const forms = [() => outgoing, ...shorter.map((form) => () => ({ ...outgoing, ...form() }))];
    let failure = tooLarge(topic, bytesOf(outgoing));
    for (const [at, form] of forms.entries()) {
      const whole = form();
      const isLast = at === forms.length - 1;
      // The last of several is always tried: what was refused may have been so for something else.
      if (bytesOf(whole) >= (this.refusedBytes ?? Infinity) && !(isLast && at > 0)) continue;
      try {
        await this.#attempt(whole, signal);
        return;
      } catch (error) {
        failure = asAgentError(error, `publish to ${topic}`);
        if (failure.code !== "MQTT_TOO_LARGE") throw failure;
        this.#learn(bytesOf(whole));
      }
    }
    throw failure;
  }

  async #attempt(outgoing: Outgoing, signal: AbortSignal): Promise<void> {
    const { topic, payload, options } = outgoing;
    const packetBytes = bytesOf(outgoing);
    const key = `${topic} ${packetBytes}`;
    const sentMs = this.#clock.monotonicMs();
    try {
      await this.#post.publish(topic, payload, options, signal);
      this.#kills.delete(key);
      this.#refusedTopics.delete(topic);
    } catch (error) {
      const failure = asAgentError(error, `publish to ${topic}`);
      if (failure.code === "MQTT_NOT_AUTHORISED") this.#note(topic);
      const isSoon = this.#clock.monotonicMs() - sentMs <= remoteLimits.suspectWithinMs;
      if (!isSoon || !/^MQTT_(CLOSED|PROTOCOL)$/.test(failure.code)) throw failure;
      throw this.#blamed(key, topic, packetBytes) ?? failure;
    }
  }

  /** The connection ended under this message. A broker that stops does that too, but not again and again. */
  #blamed(key: string, topic: string, bytes: number): AgentError | undefined {
    if (this.#kills.size >= suspectsMax) this.#kills.clear();
    const kills = (this.#kills.get(key) ?? 0) + 1;
    this.#kills.set(key, kills);
    if (kills >= 2 && bytes >= remoteLimits.suspectBytesMin) return tooLarge(topic, bytes);
    if (kills < remoteLimits.letterTriesMax) return undefined;
    const message = `publish to ${topic}: it ended ${kills} connections`;
    return new AgentError("MQTT_POISON", message, { disposition: "reject" });
  }

  #learn(bytes: number): void {
    this.#refusedBytes = Math.min(this.refusedBytes ?? Infinity, bytes);
    this.#refusedAtMs = this.#clock.monotonicMs();
  }

  #note(topic: string): void {
    if (this.#refusedTopics.size < suspectsMax) this.#refusedTopics.add(topic);
  }
}

/** Of the whole packet: what a caller wants to have echoed counts too. */
function bytesOf({ topic, payload, options }: Outgoing): number {
  return publishBytes(topic, payload.length, options);
}

function tooLarge(topic: string, bytes: number): AgentError {
  return new AgentError("MQTT_TOO_LARGE", `publish to ${topic}: ${bytes} bytes are too many for this broker`, {
    disposition: "reject",
  });
}

/** Topics and messages that are remembered; a device has fewer. */
const suspectsMax = 32;
