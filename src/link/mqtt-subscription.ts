import type { AgentError } from "../core/errors.ts";
import type { MqttVersion } from "./mqtt-settings.ts";

/** What a connection listens to, and what it hears. */

/** A message from the broker. The MQTT 5 fields are absent on 3.1.1. */
export interface MqttMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  /** It was kept by the broker, or is to be; on 3.1.1 only the former can be told. */
  readonly retain: boolean;
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
  /** Whole seconds that were left when the broker sent it. */
  readonly expirySeconds?: number;
  /** On the monotonic clock: when it came, however long it waited for whoever listens. */
  readonly arrivedMs: number;
}

export interface MqttSubscription {
  readonly filters: readonly string[];
  readonly qos: 0 | 1 | 2;
  /**
   * `all` (the default) also brings what the broker has kept, at each connect; `none` leaves that out and marks what is
   * published as retained. 3.1.1 knows `all` alone, and marks what was kept.
   */
  readonly kept?: "all" | "none";
  /** On connections of this version alone. */
  readonly onlyOn?: MqttVersion;
  /**
   * Messages that wait for `onMessage`; what comes above it is not heard. Some brokers send far more at once than a client
   * asks for, and all that one read brings waits for a moment. For whoever expects many; the link's limit otherwise.
   */
  readonly waitingMax?: number;
  /** Hears of those that are not heard, at once. Must not throw. */
  readonly onMissed?: (message: MqttMessage) => void;
  /** Called instead of ending the connection where the broker forbids some of the filters, or all. */
  readonly onRefused?: (error: AgentError, filters: readonly string[]) => void;
  /**
   * A message is acknowledged when it resolves; until then no other one of this subscription comes. When it fails, the
   * message counts as not taken: it comes again with the session. `ended` aborts with the connection that brought it.
   */
  readonly onMessage: (message: MqttMessage, ended: AbortSignal) => void | Promise<void>;
}

/** The PUBLISH packet, as far as it is read. */
export interface ReceivedPublish {
  readonly topic: string;
  readonly payload: Buffer | string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly dup?: boolean;
  readonly messageId?: number;
  readonly properties?: {
    readonly responseTopic?: string;
    readonly correlationData?: Buffer;
    readonly messageExpiryInterval?: number;
  };
}

export function messageOfPacket(packet: ReceivedPublish, arrivedMs: number): MqttMessage {
  const { topic, payload, qos, retain, properties = {} } = packet;
  const { responseTopic, correlationData, messageExpiryInterval } = properties;
  return {
    ...{ topic, qos, retain, arrivedMs },
    payload: Buffer.isBuffer(payload) ? payload : Buffer.from(payload),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData }),
    ...(messageExpiryInterval === undefined ? {} : { expirySeconds: messageExpiryInterval }),
  };
}

/** MQTT 5, 3.8.3.1: retain handling 2 sends nothing that was kept, retain as published leaves the mark on the rest. */
export function subscribeOptions({ qos, kept = "all" }: MqttSubscription): {
  readonly qos: 0 | 1 | 2;
  readonly rap?: boolean;
  readonly rh?: number;
} {
  return kept === "none" ? { qos, rap: true, rh: 2 } : { qos };
}

/** Whether a filter of our own, whose wildcards are `+` and a final `#`, takes a topic. */
export function filterMatches(filter: string, topic: string): boolean {
  const steps = filter.split("/");
  const words = topic.split("/");
  for (const [at, step] of steps.entries()) {
    if (step === "#") return true;
    if (at >= words.length || (step !== "+" && step !== words[at])) return false;
  }
  return steps.length === words.length;
}
