import { createRequire } from "node:module";
import { Socket } from "node:net";
import type { connect, MqttClient } from "mqtt";
import { AgentError } from "../core/errors.ts";
import { linkLimits } from "../core/deliver-limits.ts";
import { unlessAborted } from "./deadline.ts";
import { AnswerReader } from "./mqtt-answers.ts";
import { clientOptions } from "./mqtt-client-options.ts";
import {
  connectError,
  lostError,
  publishRefused,
  SubscribeRefused,
  subscribeRefused,
  tooLarge,
  tooLargeReason,
} from "./mqtt-errors.ts";
import { publishAnswer, publishBytes, publishHead, type PublishOptions } from "./mqtt-packet.ts";
import { type MqttSubscription, type ReceivedPublish, subscribeOptions } from "./mqtt-subscription.ts";
import { brokerName, type MqttLimits, type MqttSettings, type MqttVersion } from "./mqtt-settings.ts";
import { SendWindow } from "./mqtt-window.ts";
import type { TlsOptions } from "./tls.ts";

/**
 * One MQTT connection, from CONNECT to its end, with MQTT.js as a wire codec and nothing more. Its queues, its
 * reconnecting and its re-sending are never used: they are unbounded, unpaced, and would send a record again that the
 * spool still owns. So a connection is opened once, publishes only while it is open, and is thrown away at the first
 * sign of trouble; whatever was under way then fails, and the spool decides.
 *
 * PUBLISH packets are written here and not by MQTT.js, which copies every message for the re-send that is never wanted:
 * with pictures, that copy and its collection were two thirds of the processor time (docs/benchmarks.md).
 */

interface InFlight {
  readonly topic: string;
  readonly bytes: number;
  readonly requireSubscriber: boolean;
  readonly deadline: NodeJS.Timeout;
  readonly settle: (error?: AgentError) => void;
}

export class MqttConnection {
  readonly #settings: MqttSettings;
  readonly #version: MqttVersion;
  readonly #broker: string;
  /** By message id; with QoS 0 it stays at home. */
  readonly #inFlight = new Map<number, InFlight>();
  readonly #lost: Promise<AgentError>;
  #reportLost: (error: AgentError) => void = () => {};
  #client: MqttClient | undefined;
  #window = new SendWindow({ placesMax: 0, bytesMax: 0, waitingMax: 0 });
  #limits: MqttLimits | undefined;
  #ended = false;
  readonly #over = new AbortController();
  /** Why it is over. */
  #ending: AgentError | undefined;
  #answering: Promise<void> = Promise.resolve();
  /** Over such an answer MQTT.js ends the connection. */
  #refusedSize = false;
  readonly #pings = new Set<() => void>();

  constructor(settings: MqttSettings, version: MqttVersion) {
    this.#settings = settings;
    this.#version = version;
    this.#broker = brokerName(settings);
    this.#lost = new Promise((resolve) => (this.#reportLost = resolve));
  }

  /** Once. Fails with an error that `connectError` made. */
  async open(tls: TlsOptions | undefined, signal: AbortSignal): Promise<MqttLimits> {
    // Loaded by the first connection, because it is a sixth of what a start costs, and many configs have no broker.
    // Required, not imported: Node's import of a CommonJS package now and then follows a link on the way to it only half
    // (node_modules that is a link, or made of links as pnpm's), and then gives an empty module for the life of the process.
    const mqtt = createRequire(import.meta.url)("mqtt") as { readonly connect: typeof connect };
    signal.throwIfAborted();
    const client = this.#connect(mqtt.connect, tls);
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "puback" && packet.messageId !== undefined) {
        this.#acknowledged(packet.messageId, packet.reasonCode ?? 0);
      } else if (packet.cmd === "pingresp") for (const ponged of this.#pings) ponged();
    });
    client.on("disconnect", ({ reasonCode }) => this.#end(reasonCode, undefined));
    client.on("error", (error) => this.#end(undefined, error));
    client.on("close", () => this.#end(undefined, undefined));
    const giveUp = () => {
      const stopped = new AgentError("ABORTED", `connect to ${this.#broker}: stopped`, { disposition: "retry" });
      this.#finish(stopped, stopped);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await new Promise<MqttLimits>((resolve, reject) => {
        client.once("connect", ({ properties, sessionPresent }) => {
          this.#settings.hearing.connected(sessionPresent);
          resolve(this.#learn(properties ?? {}));
        });
        void this.#lost.then(reject);
      });
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Aborts when the connection has ended for any cause. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Resolves with the reason when the connection has ended for any cause but `close`. */
  lost(): Promise<AgentError> {
    return this.#lost;
  }

  /**
   * Resolves when the broker has taken the message (QoS 1) or the socket has (QoS 0). A message whose caller gave up
   * keeps its place in the window until the broker answers, because it is under way all the same.
   */
  async publish(topic: string, payload: Buffer, options: PublishOptions, signal: AbortSignal): Promise<void> {
    const max = this.#limits?.maximumPacketSize;
    const packetBytes = publishBytes(topic, payload.length, options);
    if (max !== undefined && packetBytes > max) {
      throw tooLarge(`publish to ${topic} at ${this.#broker}`, `${packetBytes} bytes, the broker takes ${max}`);
    }
    await this.#window.enter(payload.length, signal);
    const taken = this.#send(topic, payload, options);
    taken.catch(() => {});
    await unlessAborted(taken, signal, `publish to ${topic} at ${this.#broker}`);
  }

  /** Resolves when the broker has granted every filter that it must, which holds for this connection. */
  async subscribe(signal: AbortSignal): Promise<void> {
    const asked = this.#settings.subscriptions.filter(({ onlyOn = this.#version }) => onlyOn === this.#version);
    await Promise.all(asked.map((subscription) => this.#subscribe(subscription, signal)));
  }

  /** Resolves when the broker has answered: an open socket alone says little. */
  async ping(signal: AbortSignal): Promise<void> {
    let ponged = () => {};
    const answered = new Promise<void>((resolve) => (ponged = resolve));
    this.#pings.add(ponged);
    this.#client?.sendPing();
    try {
      await this.#unlessOver(answered, signal, `ping ${this.#broker}`);
    } finally {
      this.#pings.delete(ponged);
    }
  }

  /** Says goodbye where it can, and is over within a second where it cannot. */
  async close(): Promise<void> {
    const client = this.#client;
    if (client === undefined || this.#ended) return;
    const error = new AgentError("MQTT_CLOSED", `connection to ${this.#broker}: closed`, { disposition: "retry" });
    if (!client.connected || this.#inFlight.size > 0) {
      this.#finish(error, error);
      return;
    }
    this.#ended = true;
    this.#ending = error;
    this.#over.abort();
    this.#window.close(error);
    const closed = new Promise<void>((resolve) => client.once("close", resolve));
    const grace = setTimeout(() => client.stream.destroy(), linkLimits.mqttCloseGraceMs);
    client.end(false);
    await closed;
    clearTimeout(grace);
  }

  #connect(connectTo: typeof connect, tls: TlsOptions | undefined): MqttClient {
    try {
      const options = clientOptions(this.#settings, this.#version, tls);
      this.#client = connectTo(options);
      this.#client.handleMessage = (packet, readOn) => this.#hear(packet, readOn);
      return this.#client;
    } catch (error) {
      throw connectError(this.#broker, error);
    }
  }

  #learn(properties: { readonly receiveMaximum?: number; readonly maximumPacketSize?: number }): MqttLimits {
    const { receiveMaximum = Infinity, maximumPacketSize } = properties;
    // MQTT.js leaves the broker's receiveMaximum to its caller; strict brokers disconnect those who exceed it.
    const window = Math.max(1, Math.min(linkLimits.mqttWindowMax, receiveMaximum));
    this.#window = new SendWindow({
      placesMax: window,
      bytesMax: linkLimits.mqttInFlightBytesMax,
      waitingMax: linkLimits.mqttWaitingMax,
    });
    // A pause for the peer's delayed acknowledgement at the end of every picture is all that Nagle's algorithm brings.
    if (this.#client?.stream instanceof Socket) {
      this.#client.stream.setNoDelay(true);
      this.#liveByProgress(this.#client, this.#client.stream);
      this.#readRefusals(this.#client.stream);
    }
    this.#limits = {
      version: this.#version,
      window,
      ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
    };
    return this.#limits;
  }

  /**
   * A ping waits behind the payloads before it, and MQTT.js would end a slow upload for the missing answer. So while bytes
   * wait to leave, the connection is judged by whether they do: Node's socket timeout looks at what the system has taken
   * of a write under way. Once all have left, the answer to a ping counts again.
   */
  #liveByProgress(client: MqttClient, socket: Socket): void {
    const stillMs = client.keepalive * 1000;
    const postpone = setInterval(() => {
      if (socket.writableLength > 0) client.reschedulePing(true);
    }, stillMs / 2);
    socket.once("close", () => clearInterval(postpone));
    socket.setTimeout(stillMs, () => {
      if (socket.writableLength === 0 || this.#ended) return;
      const message = `connection to ${this.#broker}: no byte leaves any more`;
      const error = new AgentError("MQTT_CLOSED", message, { disposition: "retry" });
      this.#finish(error, error);
    });
  }

  async #subscribe(subscription: MqttSubscription, signal: AbortSignal): Promise<void> {
    const { filters, onRefused } = subscription;
    const attempted = `subscribe to ${filters.join(", ")} at ${this.#broker}`;
    let deadline: NodeJS.Timeout | undefined;
    const granted = new Promise<void>((resolve, reject) => {
      const late = new AgentError("MQTT_ACK_TIMEOUT", `${attempted}: no answer in time`, { disposition: "retry" });
      deadline = setTimeout(() => reject(late), this.#settings.ackTimeoutMs);
      this.#client?.subscribe([...filters], subscribeOptions(subscription), (failure) => {
        if (failure) reject(subscribeRefused(attempted, filters, failure));
        else resolve();
      });
    });
    try {
      await this.#unlessOver(granted, signal, attempted);
    } catch (error) {
      if (onRefused === undefined || !(error instanceof SubscribeRefused)) throw error;
      onRefused(error, error.filters);
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Waits no longer than the connection lives and the caller does, and leaves nothing with either. */
  async #unlessOver<T>(work: Promise<T>, signal: AbortSignal, attempted: string): Promise<T> {
    const over = this.#over.signal;
    let giveUp = () => {};
    const ended = new Promise<never>((_, reject) => {
      giveUp = () => reject(this.#ending ?? lostError(this.#broker, undefined, undefined));
      if (over.aborted) giveUp();
      over.addEventListener("abort", giveUp, { once: true });
    });
    try {
      return await unlessAborted(Promise.race([work, ended]), signal, attempted);
    } finally {
      over.removeEventListener("abort", giveUp);
    }
  }

  /** MQTT.js reads on when `readOn` is called, and acknowledges unless that is told of an error. */
  #hear(packet: ReceivedPublish & { readonly messageId?: number }, readOn: (error?: Error) => void): void {
    const taken = this.#settings.hearing.take(packet, this.#over.signal);
    if (packet.qos === 2) {
      void taken.then(() => readOn());
      return;
    }
    readOn(acknowledgedLater);
    const { messageId } = packet;
    if (packet.qos === 0 || messageId === undefined) return;
    // In the order in which they came (MQTT 5, 4.6).
    this.#answering = this.#answering.then(async () => {
      if ((await taken) && !this.#ended) this.#client?.stream.write(publishAnswer(messageId));
    });
  }

  /** Before MQTT.js reads the same bytes and gives the connection up. */
  #readRefusals(socket: Socket): void {
    if (this.#version !== 5) return;
    const answers = new AnswerReader((id, reason) => {
      if (reason !== tooLargeReason) return;
      this.#acknowledged(id, reason);
      this.#refusedSize = true;
    });
    socket.prependListener("data", (chunk: Buffer) => answers.read(chunk));
  }

  async #send(topic: string, payload: Buffer, options: PublishOptions): Promise<void> {
    const client = this.#client;
    const bytes = payload.length;
    try {
      await new Promise<void>((resolve, reject) => {
        if (client === undefined || this.#ended) {
          reject(lostError(this.#broker, undefined, undefined));
          return;
        }
        const id = client.messageIdProvider.allocate() ?? 0;
        const deadline = setTimeout(() => this.#overdue(id), this.#ackDeadlineMs());
        const settle = (error?: AgentError) => (error === undefined ? resolve() : reject(error));
        this.#inFlight.set(id, {
          topic,
          bytes,
          requireSubscriber: options.requireSubscriber ?? false,
          deadline,
          settle,
        });
        const { stream } = client;
        const head = publishHead(this.#version, topic, id, bytes, options);
        this.#settings.meter?.(head.length + bytes);
        stream.cork();
        stream.write(head);
        stream.write(payload, (failure) => {
          if (options.qos === 0 && !failure) this.#settle(id);
        });
        stream.uncork();
      });
    } finally {
      this.#window.leave(bytes);
    }
  }

  /** MQTT.js waits for ever. What went before on the same socket has to arrive first, so all of it counts. */
  #ackDeadlineMs(): number {
    return this.#settings.ackTimeoutMs + (this.#window.bytes() / linkLimits.mqttBytesPerSecondMin) * 1000;
  }

  /** Read from the packet itself: MQTT.js hides reason 16 from its callback. */
  #acknowledged(id: number, reason: number): void {
    const message = this.#inFlight.get(id);
    if (message === undefined) return;
    if (reason >= 128) this.#settle(id, publishRefused(message.topic, this.#broker, reason));
    else if (reason === 16 && message.requireSubscriber) this.#settle(id, noSubscriber(message.topic, this.#broker));
    else this.#settle(id);
  }

  #overdue(id: number): void {
    const attempted = `publish to ${this.#inFlight.get(id)?.topic ?? ""} at ${this.#broker}`;
    const error = new AgentError("MQTT_ACK_TIMEOUT", `${attempted}: no answer in time`, { disposition: "retry" });
    this.#settle(id, error);
    this.#finish(error, error);
  }

  #settle(id: number, error?: AgentError): void {
    const message = this.#inFlight.get(id);
    if (message === undefined) return;
    this.#inFlight.delete(id);
    clearTimeout(message.deadline);
    message.settle(error);
  }

  #end(reason: number | undefined, thrown: unknown): void {
    if (this.#ended) return;
    if (this.#limits === undefined && reason === undefined) {
      const error = connectError(this.#broker, thrown);
      this.#finish(error, error);
      return;
    }
    const error = lostError(this.#broker, reason ?? (this.#refusedSize ? tooLargeReason : undefined), thrown);
    if (reason === tooLargeReason) this.#blameLargest(error);
    const underWay =
      error.code === "MQTT_PROTOCOL"
        ? error
        : new AgentError("MQTT_CLOSED", error.message, { disposition: "retry", cause: error });
    this.#finish(error, underWay);
  }

  /** When some packet under way was too large, the largest was. */
  #blameLargest(cause: AgentError): void {
    const largest = [...this.#inFlight].reduce<readonly [number, InFlight] | undefined>(
      (most, entry) => (most === undefined || entry[1].bytes > most[1].bytes ? entry : most),
      undefined,
    );
    if (largest === undefined) return;
    this.#settle(largest[0], tooLarge(`publish to ${largest[1].topic}`, cause.message));
  }

  #finish(error: AgentError, underWay: AgentError): void {
    this.#ended = true;
    this.#ending = error;
    this.#over.abort();
    for (const id of [...this.#inFlight.keys()]) this.#settle(id, underWay);
    this.#window.close(underWay);
    this.#client?.end(true);
    this.#reportLost(error);
  }
}

function noSubscriber(topic: string, broker: string): AgentError {
  return new AgentError("MQTT_NO_SUBSCRIBER", `publish to ${topic} at ${broker}: nobody subscribes to it`, {
    disposition: "retry",
  });
}

const acknowledgedLater = new Error("whoever listens has not dealt with it yet");
