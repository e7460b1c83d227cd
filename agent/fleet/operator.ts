import { randomBytes } from "node:crypto";
import { remoteLimits } from "../../src/core/limits.ts";
import type { Seams } from "../../src/core/ports.ts";
import { brokerAddress } from "../../src/link/broker-address.ts";
import { MqttLink } from "../../src/link/mqtt-link.ts";
import type { MqttMessage, MqttSubscription } from "../../src/link/mqtt-subscription.ts";
import { type Addressee, requestTopic, Topics } from "../../src/remote/topics.ts";
import type { FleetBroker } from "./broker.ts";

export interface Ears {
  /** Replies, on MQTT 5 to a topic of this caller's own, on 3.1.1 to the devices'. */
  readonly onReply?: {
    readonly command: string;
    readonly from: Addressee;
    readonly take: (message: MqttMessage) => void;
  };
  /** What devices keep at the broker. */
  readonly onKept?: (message: MqttMessage) => void;
}

/** Somebody at a shell: a connection of its own for as long as a command takes. */
export class Operator {
  readonly #root: string;
  readonly #replyTopic: string;
  readonly #link: MqttLink;

  constructor(broker: FleetBroker, ears: Ears, seams: Seams) {
    const { url, root, protocol, username, password, tls, responseTopics } = broker;
    const { host, port, secure } = brokerAddress(url);
    // Never the client id of the config, which is a device's: one of the two would be thrown out.
    const name = randomBytes(8).toString("hex");
    this.#root = root;
    this.#replyTopic = `${responseTopics[0] ?? "framepost/reply/"}${name}`;
    const tlsFiles = tls ?? (secure ? { insecureSkipVerify: false } : undefined);
    this.#link = new MqttLink(
      {
        ...{ host, port, protocol, clientId: `framepost-shell-${name}` },
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
        ...(tlsFiles === undefined ? {} : { tls: tlsFiles }),
        subscriptions: subscriptionsOf(ears, root, this.#replyTopic),
        timing: { reconnectFirstMaxMs: reconnectWithinMs },
      },
      seams,
    );
  }

  /** Fails with the reason when the first try fails: a person waits. */
  async start(signal: AbortSignal): Promise<void> {
    this.#link.start();
    await this.#link.settled(signal);
  }

  async stop(): Promise<void> {
    await this.#link.close();
  }

  /**
   * Resolves when the broker has it. Fails with `MQTT_NO_SUBSCRIBER` on MQTT 5 when one device was meant that has no
   * session at the broker.
   */
  async send(to: Addressee, command: string, request: Sent, signal: AbortSignal): Promise<void> {
    const properties = {
      ...{ contentType: "application/json", isText: true, responseTopic: this.#replyTopic },
      correlationData: Buffer.from(request.id),
      expirySeconds: Math.ceil(request.ttlMs / 1_000),
    };
    const options = { qos: 1, properties, requireSubscriber: to.kind === "device" } as const;
    const payload = Buffer.from(JSON.stringify(request));
    await this.#link.publish(requestTopic(this.#root, to, command), payload, options, signal);
  }

  /** Takes away what a device keeps at the broker: it is no more. */
  async forget(device: string, signal: AbortSignal): Promise<void> {
    const { availability, info, status } = new Topics(this.#root, device);
    const nothing = Buffer.alloc(0);
    for (const topic of [availability, info, status]) {
      await this.#link.publish(topic, nothing, { qos: 1, retain: true }, signal);
    }
  }
}

/** The envelope of a request, as far as this class looks at it. */
export interface Sent {
  readonly id: string;
  readonly ttlMs: number;
}

const reconnectWithinMs = 1_000;

function subscriptionsOf({ onReply, onKept }: Ears, root: string, replyTopic: string): readonly MqttSubscription[] {
  const everyone = new Topics(root, "+");
  const repliesOf = (from: Addressee, command: string) =>
    (from.kind === "device" ? new Topics(root, from.device) : everyone).reply(command);
  const waitingMax = remoteLimits.fleetMessagesMax;
  const subscriptions: MqttSubscription[] = [];
  if (onReply !== undefined) {
    const filters = [replyTopic, repliesOf(onReply.from, onReply.command)];
    subscriptions.push({ filters, qos: 1, kept: "none", waitingMax, onMessage: onReply.take });
  }
  // One after the other, so that a broker need not hold all of them for a client at once.
  if (onKept !== undefined) {
    for (const filter of [everyone.availability, everyone.info, everyone.status]) {
      subscriptions.push({ filters: [filter], qos: 1, waitingMax, onMessage: onKept });
    }
  }
  return subscriptions;
}
