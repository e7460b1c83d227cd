import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import type { Logger, Seams } from "../core/ports.ts";
import { brokerAddress } from "../link/broker-address.ts";
import type { MqttLinkOptions, MqttLinkState, MqttTiming } from "../link/mqtt-link.ts";
import type { PublishOptions, PublishProperties } from "../link/mqtt-packet.ts";
import type { MqttMessage, MqttSubscription } from "../link/mqtt-subscription.ts";
import { CloneWatch } from "./clone-watch.ts";
import type { RemoteConfig } from "./config.ts";
import { controlHealth, type ControlHealth } from "./control-health.ts";
import { Echo } from "./echo.ts";
import type { EventKind } from "./event.ts";
import { type FoundClone, NamedLink } from "./named-link.ts";
import { Outbox } from "./outbox.ts";
import type { ReplyAddress } from "./reply.ts";
import { type Outgoing, type Post, Sender } from "./sender.ts";
import type { Topics } from "./topics.ts";

export interface ControlLinkParts {
  readonly config: RemoteConfig;
  readonly device: string;
  /** Of this process, and no other: it stands in the kept `info`. */
  readonly instance: string;
  readonly topics: Topics;
  readonly onRequest: (message: MqttMessage) => Promise<void>;
  /** There was no room for it. */
  readonly onMissed?: (message: MqttMessage) => void;
  /** At every connect: what is kept at the broker is said anew, in case it has forgotten. */
  readonly kept: () => ReadonlyMap<string, Buffer>;
  /** What else is listened to. */
  readonly listeners?: readonly Listener[];
  /** At every connect, once it is known that this device is there. */
  readonly onPresent?: () => void;
  /** Puts the envelope of events around the data of one. */
  readonly sealed: (kind: EventKind, data: object) => object;
  /** For tests; the limits otherwise. */
  readonly timing?: Partial<ControlTiming>;
}

/** Of QoS 0, and without what is kept: for what counts only now. */
export interface Listener {
  readonly filters: readonly string[];
  readonly onMessage: (message: MqttMessage) => Promise<void>;
}

export interface ControlTiming extends MqttTiming {
  readonly cloneHoldMs: number;
  readonly cloneLookMs: number;
}

/**
 * The connection by which this device is steered: its presence (birth and last will), its kept topics, its replies. It
 * has a session, so that requests sent in a short outage arrive.
 */
export class ControlLink {
  readonly #parts: ControlLinkParts;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #watch: CloneWatch;
  readonly #named: NamedLink;
  readonly #echo: Echo;
  readonly #sender: Sender;
  readonly #outbox: Outbox;
  readonly #refusedFilters = new Set<string>();
  /** The reason that the log has, since the last connection. */
  #toldUnreachable: string | undefined;
  #stopping = new AbortController();
  #running: Promise<unknown> | undefined;
  #isLeaving = false;

  constructor(parts: ControlLinkParts, seams: Seams) {
    this.#parts = parts;
    this.#clock = seams.clock;
    this.#log = seams.log;
    this.#watch = new CloneWatch(parts.instance);
    this.#echo = new Echo(seams.clock);
    const { timing, config } = parts;
    this.#named = new NamedLink(
      {
        options: this.#options(),
        watch: this.#watch,
        holdMs: timing?.cloneHoldMs ?? remoteLimits.cloneHoldMs,
        lookMs: timing?.cloneLookMs ?? config.reconnectMax + remoteLimits.cloneLookExtraMs,
        onPresent: (ended) => this.#appear(ended),
        onClone: (clone) => this.#tellOfClone(clone),
      },
      seams,
    );
    const post: Post = {
      connected: (signal) => this.connected(signal),
      publish: (...letter) => this.#publish(...letter),
    };
    this.#sender = new Sender(post, seams.clock);
    this.#outbox = new Outbox(this.#sender, seams.clock);
  }

  state(): MqttLinkState {
    return this.#named.link.state();
  }

  /** There is a connection on which this device is itself. */
  isPresent(): boolean {
    return this.#named.present !== undefined;
  }

  health(): ControlHealth {
    const [named, outbox, sender, refusedFilters] = [this.#named, this.#outbox, this.#sender, this.#refusedFilters];
    return controlHealth({ named, outbox, sender, refusedFilters }, this.#clock);
  }

  /** Of a whole packet at this broker. One that does not tell may drop the connection for a larger one. */
  packetBytesMax(): number {
    const limits = this.#named.link.limits();
    return limits?.maximumPacketSize ?? (limits?.version === 5 ? Infinity : remoteLimits.unknownPacketBytesMax);
  }

  /** Resolves when there is a connection on which this device is itself. Fails with `ABORTED` or `MQTT_OFFLINE`. */
  connected(signal: AbortSignal): Promise<void> {
    return this.#named.connected(signal);
  }

  /** Returns at once. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#stopping = new AbortController();
    this.#isLeaving = false;
    const { signal } = this.#stopping;
    this.#running = Promise.all([this.#named.run(signal), this.#outbox.run(signal)]);
  }

  /** Sends what waits, as long as the broker takes it, and says goodbye: a clean end brings no last will. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    this.#isLeaving = true;
    if (this.#named.present !== undefined) {
      await this.#outbox.emptied(AbortSignal.timeout(stopGraceMs));
      // Where even this stays unanswered, the connection ends without a goodbye and the broker sends the will.
      await this.keep(this.#parts.topics.availability, Buffer.from("offline"), AbortSignal.timeout(stopGraceMs));
    }
    this.#stopping.abort();
    await this.#running;
    this.#running = undefined;
  }

  /**
   * Publishes a kept message now, or not at all: at the next connect it is said anyway. Resolves with the error where the
   * broker did not take it.
   */
  async keep(
    topic: string,
    payload: Buffer,
    signal: AbortSignal,
    properties: PublishProperties = json,
  ): Promise<AgentError | undefined> {
    if (this.#named.present === undefined) {
      return new AgentError("MQTT_OFFLINE", `publish to ${topic}: not connected`, { disposition: "retry" });
    }
    const options = { qos: 1, retain: true, properties } as const;
    const letter = { topic, payload, options, shorter: this.#shorterKept(topic) };
    try {
      await this.#sender.send(letter, signal);
      return undefined;
    } catch (error) {
      return asAgentError(error, `publish to ${topic}`);
    }
  }

  /** In their order, and also after an outage. */
  event(kind: string, data: object): void {
    const shorter = [() => ({ payload: jsonOf({ leftOut: true }) })];
    const letter = { topic: this.#parts.topics.event(kind), payload: jsonOf(data), shorter };
    this.#outbox.put({ ...letter, options: { qos: 1, properties: json }, kind: "event" });
  }

  /** `settled` is called once: the broker has it, or why it was given up. */
  reply(reply: object, address: ReplyAddress, settled: (error?: AgentError) => void): void {
    const { command, responseTopic, correlationData } = address;
    const alone: PublishProperties = {
      ...json,
      expirySeconds: remoteLimits.replyExpirySeconds,
      user: { schema: "1" },
    };
    const properties = { ...alone, ...(correlationData === undefined ? {} : { correlationData }) };
    const own = this.#parts.topics.reply(command);
    const where = responseTopic === undefined ? { topic: own } : { topic: responseTopic, otherTopic: own };
    const short = () => ({ payload: jsonOf({ ...reply, data: { leftOut: true } }) });
    // A caller finds its request by the id too, and some reply is better than none.
    const bare = () => ({ ...short(), options: { qos: 1, properties: alone } as const });
    const shorter = correlationData === undefined ? [short] : [short, bare];
    const letter = { ...where, payload: jsonOf(reply), shorter, options: { qos: 1, properties } } as const;
    this.#outbox.put({ ...letter, kind: "reply", settled });
  }

  #options(): MqttLinkOptions {
    const { config, device, topics, timing } = this.#parts;
    const { host, port, secure } = brokerAddress(config.url);
    const tlsFiles = config.tls ?? (secure ? { insecureSkipVerify: false } : undefined);
    return {
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
      subscriptions: this.#subscriptions(),
      onConnected: (ended) => {
        this.#echo.connected();
        this.#toldUnreachable = undefined;
        ended.addEventListener("abort", () => this.#refusedFilters.clear(), { once: true });
      },
      onUnreachable: (error) => this.#tellUnreachable(error),
      timing: { reconnectMaxMs: config.reconnectMax, ...timing },
    };
  }

  #subscriptions(): readonly MqttSubscription[] {
    const { topics, config } = this.#parts;
    const onRefused = (error: AgentError, filters: readonly string[]): void => {
      for (const filter of filters) this.#refusedFilters.add(filter);
      this.#log.warn("remote.filters_refused", { filters: filters.join(" "), code: error.code, error: error.message });
    };
    return [
      {
        ...{ filters: topics.requests(config.groups), qos: 1, kept: "none", onRefused },
        onMissed: (message) => this.#parts.onMissed?.(message),
        onMessage: async (message, ended) => {
          await this.#named.admitted(ended);
          // Its reply would stay behind: not acknowledged, it comes again with the session.
          if (this.#isLeaving) throw leaving();
          await this.#parts.onRequest(message);
        },
      },
      {
        // Of QoS 0, so that it does not stand behind the requests that wait in the session.
        ...{ filters: [topics.info], qos: 0, kept: "all", onRefused },
        onMessage: (message, ended) => {
          this.#echo.heard(message);
          this.#watch.heard(message, ended);
          this.#named.look();
        },
      },
      {
        ...{ filters: [topics.reply("+")], qos: 0, kept: "none", onlyOn: 4, onRefused },
        onMessage: (message) => this.#echo.heard(message),
      },
      ...(this.#parts.listeners ?? []).map(({ filters, onMessage }): MqttSubscription => ({
        ...{ filters, qos: 0, kept: "none", onRefused },
        onMessage: async (message, ended) => {
          await this.#named.admitted(ended);
          await onMessage(message);
        },
      })),
    ];
  }

  async #appear(ended: AbortSignal): Promise<void> {
    const { topics, kept, onPresent } = this.#parts;
    for (const [topic, payload] of kept()) await this.keep(topic, payload, ended);
    await this.keep(topics.availability, Buffer.from("online"), ended);
    onPresent?.();
    void this.#askAgain(ended);
  }

  /** Someone may have mended the broker's access list. */
  async #askAgain(ended: AbortSignal): Promise<void> {
    try {
      while (this.#refusedFilters.size > 0) {
        await this.#clock.sleep(remoteLimits.resubscribeMs, ended);
        this.#refusedFilters.clear();
        await this.#named.link.resubscribe(ended);
      }
    } catch {
      // The connection is over; the next one asks for everything.
    }
  }

  /** Once for each reason: it is tried for as long as the device lives. */
  #tellUnreachable({ code, message }: AgentError): void {
    if (code === this.#toldUnreachable) return;
    this.#toldUnreachable = code;
    this.#log.warn("remote.unreachable", { code, error: message });
  }

  async #tellOfClone({ instance: other, holdMs, times }: FoundClone): Promise<void> {
    const { instance, device, topics, sealed } = this.#parts;
    const text = `another device lives as ${device}; this one leaves the broker to it for a while`;
    this.#log.error("remote.cloned", { device, instance, other, holdMs, times, error: text });
    const event = jsonOf(sealed("cloned", { instance, other, times, holdMs }));
    const publishing = this.#named.link.publish(
      ...([topics.event("cloned"), event, { qos: 1, properties: json }] as const),
      AbortSignal.timeout(stopGraceMs),
    );
    await publishing.catch(() => undefined);
  }

  async #publish(topic: string, payload: Buffer, options: PublishOptions, signal: AbortSignal): Promise<void> {
    const { link, present } = this.#named;
    const sent = link.publish(topic, payload, options, signal);
    const isSilent = link.limits()?.version === 4 && payload.length >= remoteLimits.suspectBytesMin;
    if (!isSilent || present === undefined || !topic.startsWith(this.#parts.topics.reply(""))) return sent;
    const ping = (until: AbortSignal) => link.check(until);
    if ((await this.#echo.of({ topic, payload, sent }, ping, present)) === "lost") {
      const text = `publish to ${topic}: ${payload.length} bytes were thrown away by the broker`;
      throw new AgentError("MQTT_TOO_LARGE", text, { disposition: "reject" });
    }
  }

  /** What stands for a kept message that is too large. Others than these have a form of their own. */
  #shorterKept(topic: string): NonNullable<Outgoing["shorter"]> {
    const { topics, instance } = this.#parts;
    if (topic === topics.info) return [() => ({ payload: jsonOf({ v: 1, instance, leftOut: true }) })];
    return topic === topics.status ? [() => ({ payload: jsonOf({ v: 1, leftOut: true }) })] : [];
  }
}

function jsonOf(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

const json: PublishProperties = { contentType: "application/json", isText: true };

const stopGraceMs = 2_000;

function leaving(): AgentError {
  return new AgentError("ABORTED", "take a request: the device is about to leave", { disposition: "retry" });
}
