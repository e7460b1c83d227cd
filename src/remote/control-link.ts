import { remoteLimits } from "../core/limits.ts";
import type { Seams } from "../core/ports.ts";
import { brokerAddress } from "../link/broker-address.ts";
import { MqttLink, type MqttLinkState, type MqttTiming } from "../link/mqtt-link.ts";
import type { PublishOptions, PublishProperties } from "../link/mqtt-packet.ts";
import type { MqttMessage } from "../link/mqtt-subscription.ts";
import type { RemoteConfig } from "./config.ts";
import { Outbox } from "./outbox.ts";
import type { ReplyAddress } from "./ledger.ts";
import type { Topics } from "./topics.ts";

export interface ControlLinkParts {
  readonly config: RemoteConfig;
  readonly device: string;
  readonly topics: Topics;
  readonly onRequest: (message: MqttMessage) => Promise<void>;
  /** At every connect: what is kept at the broker is said anew, in case it has forgotten. */
  readonly kept: () => ReadonlyMap<string, Buffer>;
  /** For tests; the link's limits otherwise. */
  readonly timing?: Partial<MqttTiming>;
}

/**
 * The connection by which this device is steered: its presence (birth and last will), its kept topics, its replies. It
 * has a session, so that requests sent in a short outage arrive.
 */
export class ControlLink {
  readonly #parts: ControlLinkParts;
  readonly #link: MqttLink;
  readonly #outbox: Outbox;
  #stopping = new AbortController();
  #posting: Promise<void> | undefined;
  #birth: Promise<void> = Promise.resolve();

  constructor(parts: ControlLinkParts, seams: Seams) {
    this.#parts = parts;
    const { config, device, topics } = parts;
    const { host, port, secure } = brokerAddress(config.url);
    const tlsFiles = config.tls ?? (secure ? { insecureSkipVerify: false } : undefined);
    const filters = topics.requests(config.groups);
    this.#link = new MqttLink(
      {
        ...{ host, port },
        clientId: config.clientId ?? `framepost-${device}`,
        protocol: config.protocol,
        ...(config.username === undefined ? {} : { username: config.username }),
        ...(config.password === undefined ? {} : { password: config.password }),
        ...(tlsFiles === undefined ? {} : { tls: tlsFiles }),
        will: {
          topic: topics.availability,
          payload: Buffer.from("offline"),
          ...{ qos: 1, retain: true, delaySeconds: remoteLimits.willDelaySeconds },
        },
        sessionExpirySeconds: remoteLimits.sessionExpirySeconds,
        subscriptions: [{ filters, qos: 1, kept: "none", onMessage: parts.onRequest }],
        onConnected: () => this.#onConnected(),
        timing: { reconnectMaxMs: config.reconnectMax, ...parts.timing },
      },
      seams,
    );
    this.#outbox = new Outbox(this.#link, seams.clock);
  }

  state(): MqttLinkState {
    return this.#link.state();
  }

  /** Of a whole packet at this broker. One that does not tell may drop the connection for a larger one. */
  packetBytesMax(): number {
    const limits = this.#link.limits();
    return limits?.maximumPacketSize ?? (limits?.version === 5 ? Infinity : remoteLimits.unknownPacketBytesMax);
  }

  /** Resolves when there is a connection. */
  connected(signal: AbortSignal): Promise<void> {
    return this.#link.connected(signal);
  }

  /** Returns at once. */
  start(): void {
    if (this.#posting !== undefined) return;
    this.#stopping = new AbortController();
    this.#link.start();
    this.#posting = this.#outbox.run(this.#stopping.signal);
  }

  /** Sends what waits, as long as the broker takes it, and says goodbye: a clean end brings no last will. */
  async stop(): Promise<void> {
    if (this.#posting === undefined) return;
    const grace = AbortSignal.timeout(stopGraceMs);
    if (this.#link.state().kind === "connected") {
      await this.#outbox.emptied(grace);
      await this.keep(this.#parts.topics.availability, Buffer.from("offline"), grace);
    }
    this.#stopping.abort();
    await this.#posting;
    this.#posting = undefined;
    await this.#link.close();
    await this.#birth;
  }

  /** Publishes a kept message now, or not at all: at the next connect it is said anyway. */
  async keep(topic: string, payload: Buffer, signal: AbortSignal): Promise<void> {
    const properties: PublishProperties = { contentType: "application/json", isText: true };
    const publishing = this.#link.publish(topic, payload, { qos: 1, retain: true, properties }, signal);
    await publishing.catch(() => undefined);
  }

  /** In their order, and also after an outage. */
  event(kind: string, data: object): void {
    const payload = Buffer.from(JSON.stringify(data));
    const options = { qos: 1, properties: { contentType: "application/json", isText: true } } as const;
    this.#outbox.put({ topic: this.#parts.topics.event(kind), payload, options, kind: "event" });
  }

  reply(reply: object, { command, responseTopic, correlationData }: ReplyAddress, settled: () => void): void {
    const properties: PublishProperties = {
      contentType: "application/json",
      isText: true,
      expirySeconds: remoteLimits.replyExpirySeconds,
      ...(correlationData === undefined ? {} : { correlationData }),
      user: { schema: "1" },
    };
    const options: PublishOptions = { qos: 1, properties };
    const topic = responseTopic ?? this.#parts.topics.reply(command);
    this.#outbox.put({ topic, payload: Buffer.from(JSON.stringify(reply)), options, kind: "reply", settled });
  }

  #onConnected(): void {
    const { topics, kept } = this.#parts;
    const { signal } = this.#stopping;
    this.#birth = this.#birth.then(async () => {
      for (const [topic, payload] of kept()) await this.keep(topic, payload, signal);
      await this.keep(topics.availability, Buffer.from("online"), signal);
    });
  }
}

const stopGraceMs = 2_000;
