import { linkLimits } from "../../core/deliver-limits.ts";
import type { Seams } from "../../core/ports.ts";
import { brokerAddress } from "../../link/broker-address.ts";
import { MqttLink } from "../../link/mqtt-link.ts";
import type { MqttMessage } from "../../link/mqtt-subscription.ts";

/**
 * IoT.own's callbacks: what devices and gateways say, on MQTT, for reading alone. The platform ignores what a user
 * publishes there, and nothing is published here. Source: the vendor's callback manual and example.
 */

export interface CallbackAccess {
  /** `mqtts://host:port`. */
  readonly url: string;
  /** The account; its password is the API token. */
  readonly username: string;
  /** Group id, as the user page shows it. */
  readonly group: string;
  readonly tls?: ConstructorParameters<typeof MqttLink>[0]["tls"] | undefined;
}

export interface IotownCallback {
  readonly topic: string;
  readonly source: "device" | "gateway";
  readonly id: string;
  /** `data`, `boot` or `ack` of a device, `boot` or `keepalive` of a gateway. */
  readonly kind: string;
  /** The JSON of the message; its text where it is none. */
  readonly message: unknown;
}

export interface CallbackOptions {
  /** 2 when absent, as the vendor's client has it. */
  readonly qos?: 0 | 1 | 2;
  /** Only what this device says; the broker wants the wildcard, so it is chosen here. */
  readonly device?: string;
  /** Called as they come; must not throw. */
  readonly onCallback: (callback: IotownCallback) => void;
}

/** The single-level wildcard: with the one for several levels the platform delivers nothing. */
export function callbackTopics(group: string): readonly string[] {
  const kinds = ["device/+/data", "device/+/boot", "device/+/ack", "gateway/+/boot", "gateway/+/keepalive"];
  return kinds.map((kind) => `iotown/rx/${group}/${kind}`);
}

/** Undefined for a topic that is none of a callback. */
export function callbackOf(topic: string, payload: Buffer): IotownCallback | undefined {
  const [, , , source, id, kind, ...rest] = topic.split("/");
  if ((source !== "device" && source !== "gateway") || id === undefined || kind === undefined || rest.length > 0) {
    return undefined;
  }
  return { topic, source, id, kind, message: messageIn(payload) };
}

export async function listenToCallbacks(
  access: CallbackAccess & { readonly password: string },
  options: CallbackOptions,
  seams: Seams,
  signal: AbortSignal,
): Promise<void> {
  const { qos = 2, device, onCallback } = options;
  const { url, username, password, group } = access;
  const { host, port, secure } = brokerAddress(url);
  const onMessage = ({ topic, payload }: MqttMessage): void => {
    const callback = payload.length > linkLimits.mqttReceivedBytesMax ? undefined : callbackOf(topic, payload);
    if (callback === undefined) return;
    if (device === undefined || (callback.source === "device" && callback.id === device)) onCallback(callback);
  };
  const link = new MqttLink(
    {
      ...{ host, port, username, password },
      ...(secure ? { tls: access.tls ?? { insecureSkipVerify: false } } : {}),
      // Two of the same name would end each other's connections.
      clientId: `framepost-${Math.floor(seams.random() * 2 ** 48).toString(36)}`,
      // What the vendor's own clients speak.
      protocol: "3.1.1",
      subscriptions: [{ filters: callbackTopics(group), qos, onMessage }],
    },
    seams,
  );
  link.start();
  try {
    await link.check(signal);
    await aborted(signal);
  } finally {
    await link.close();
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function messageIn(payload: Buffer): unknown {
  const text = payload.toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
