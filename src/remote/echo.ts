import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { AgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import type { MqttMessage } from "../link/mqtt-subscription.ts";

/**
 * MQTT 3.1.1 acknowledges what the broker throws away. So this device also reads what it writes, and a large reply that
 * does not come back, where others do, was too large.
 */
export class Echo {
  readonly #clock: Clock;
  readonly #awaited = new Map<string, () => void>();
  #hasHeard = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new connection: whether this one may read what it writes is not known yet. */
  connected(): void {
    this.#hasHeard = false;
  }

  /** To be given all that comes on the device's own topics. */
  heard({ topic, payload }: MqttMessage): void {
    this.#hasHeard = true;
    this.#awaited.get(digestOf(topic, payload))?.();
  }

  /**
   * What became of a message that is under way as `sent`; fails as that does, and with `MQTT_OFFLINE` when the connection
   * ends before this is known. Where nothing of ours ever comes back, it counts as sent.
   */
  async of(
    { topic, payload, sent }: { readonly topic: string; readonly payload: Buffer; readonly sent: Promise<void> },
    ping: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<"sent" | "lost"> {
    const digest = digestOf(topic, payload);
    const [back, waiting] = [new AbortController(), new AbortController()];
    const isBack = () => back.signal.aborted;
    const stop = () => waiting.abort();
    this.#awaited.set(digest, () => {
      back.abort();
      stop();
    });
    signal.addEventListener("abort", stop, { once: true });
    try {
      await sent;
      if (!this.#hasHeard || isBack()) return "sent";
      // On one connection all arrives in its order; the rest is for brokers of several parts.
      await ping(waiting.signal).catch(() => undefined);
      await this.#clock.sleep(remoteLimits.echoMs, waiting.signal).catch(() => undefined);
      if (isBack()) return "sent";
      if (!signal.aborted) return "lost";
      throw new AgentError("MQTT_OFFLINE", `publish to ${topic}: it did not come back`, { disposition: "retry" });
    } finally {
      signal.removeEventListener("abort", stop);
      this.#awaited.delete(digest);
    }
  }
}

function digestOf(topic: string, payload: Buffer): string {
  return createHash("sha256").update(`${topic}\n`).update(payload).digest("base64url");
}
