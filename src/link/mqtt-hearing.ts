import { createHash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { linkLimits } from "../core/deliver-limits.ts";
import {
  filterMatches,
  messageOfPacket,
  type MqttMessage,
  type MqttSubscription,
  type ReceivedPublish,
} from "./mqtt-subscription.ts";

interface Line {
  readonly subscription: MqttSubscription;
  /** Settles when everything before has been dealt with. */
  tail: Promise<unknown>;
  waiting: number;
}

interface Delivery {
  readonly digest: string;
  readonly taken: Promise<boolean>;
}

/**
 * What a link hears on all of its connections. Whoever listens may wait for a slow disk: the connection reads on
 * meanwhile, or a stuck disk would look like a dead broker. A message that the broker sends again with the same session,
 * because the answer to it was lost with the connection, is not heard a second time.
 */
export class Hearing {
  readonly #lines: readonly Line[];
  readonly #clock: Clock;
  /** Of the session, by message id. */
  readonly #deliveries = new Map<number, Delivery>();
  #missed = 0;

  constructor(subscriptions: readonly MqttSubscription[], clock: Clock) {
    this.#clock = clock;
    this.#lines = subscriptions.map((subscription) => ({ subscription, tail: Promise.resolve(), waiting: 0 }));
  }

  /** Messages for which there was no room, because whoever listens was stuck. */
  get missed(): number {
    return this.#missed;
  }

  /** To be called at each connect, before anything is heard. A new session begins its message ids anew. */
  connected(isResumed: boolean): void {
    if (!isResumed) this.#deliveries.clear();
  }

  /** Resolves with whether the message may be acknowledged. Never rejects. */
  take(packet: ReceivedPublish, ended: AbortSignal): Promise<boolean> {
    const line = this.#lines.find(({ subscription: { filters } }) =>
      filters.some((filter) => filterMatches(filter, packet.topic)),
    );
    if (line === undefined) return Promise.resolve(true);
    const message = messageOfPacket(packet, this.#clock.monotonicMs());
    const { qos, messageId, dup = false } = packet;
    if (qos !== 1 || messageId === undefined) return this.#queued(line, message, ended);
    const digest = digestOf(packet);
    const before = this.#deliveries.get(messageId);
    if (dup && before?.digest === digest) return before.taken;
    const taken = this.#queued(line, message, ended);
    this.#remember(messageId, { digest, taken });
    return taken;
  }

  async #queued(line: Line, message: MqttMessage, ended: AbortSignal): Promise<boolean> {
    if (line.waiting >= (line.subscription.waitingMax ?? linkLimits.mqttHeardWaitingMax)) {
      this.#missed += 1;
      line.subscription.onMissed?.(message);
      return true;
    }
    line.waiting += 1;
    const heard = line.tail.then(async () => line.subscription.onMessage(message, ended));
    const taken = heard.then(
      () => true,
      () => false,
    );
    line.tail = taken;
    try {
      return await taken;
    } finally {
      line.waiting -= 1;
    }
  }

  #remember(id: number, delivery: Delivery): void {
    this.#deliveries.delete(id);
    this.#deliveries.set(id, delivery);
    const [oldest] = this.#deliveries.keys();
    if (this.#deliveries.size > linkLimits.mqttHeardWaitingMax && oldest !== undefined) this.#deliveries.delete(oldest);
    void delivery.taken.then((isTaken) => {
      if (!isTaken && this.#deliveries.get(id) === delivery) this.#deliveries.delete(id);
    });
  }
}

function digestOf({ topic, payload, properties = {} }: ReceivedPublish): string {
  const { correlationData = Buffer.alloc(0) } = properties;
  return createHash("sha256")
    .update(JSON.stringify([topic, correlationData.length]))
    .update(correlationData)
    .update(payload)
    .digest("base64url");
}
