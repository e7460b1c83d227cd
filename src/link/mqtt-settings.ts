import type { Meter } from "../core/ports.ts";
import type { Hearing } from "./mqtt-hearing.ts";
import type { MqttSubscription } from "./mqtt-subscription.ts";

/** As the CONNECT packet counts them: 4 is 3.1.1. */
export type MqttVersion = 4 | 5;

export interface MqttWill {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** MQTT 5 sends it only when the client was away for so long. */
  readonly delaySeconds?: number;
}

export interface MqttSettings {
  readonly host: string;
  readonly port: number;
  /** TLS; its options come with `open`. */
  readonly secure: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly clientId: string;
  readonly will?: MqttWill;
  /** MQTT 5: the broker keeps the session, and what comes for it, for so long after the connection. 0 when absent. */
  readonly sessionExpirySeconds?: number;
  /** Known before the connection is: what waits in a session comes before anything is asked for. */
  readonly subscriptions: readonly MqttSubscription[];
  readonly hearing: Hearing;
  readonly keepaliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly ackTimeoutMs: number;
  /** Is told of each message when it goes. */
  readonly meter?: Meter;
}

/** What the broker said when it accepted the connection. */
export interface MqttLimits {
  readonly version: MqttVersion;
  /** Of a whole packet, in bytes; unknown on 3.1.1. */
  readonly maximumPacketSize?: number;
  /** PUBLISH packets under way at once, ours or the broker's limit, whichever is smaller. */
  readonly window: number;
}

/** For texts; never holds credentials. */
export function brokerName(settings: {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}): string {
  return `${settings.secure ? "mqtts" : "mqtt"}://${settings.host}:${settings.port}`;
}
