import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { replySchema } from "../../src/remote/reply-schema.ts";
import { isFinal, type Reply } from "../../src/remote/reply.ts";
import type { ProtocolVersion } from "./steering-broker.ts";
import { until } from "./poll.ts";

export interface DeviceMessage {
  readonly topic: string;
  readonly retain: boolean;
  readonly json: unknown;
}

export type HeardReply = Reply & { readonly data?: Readonly<Record<string, unknown>> };

const responseTopic = "framepost/reply/test";

/** Whoever steers a device over a broker, on either version of the protocol; every reply is held against its schema. */
export class DeviceCaller implements AsyncDisposable {
  readonly #client: MqttClient;
  readonly #device: string;
  /** All that the device has said, in its order. */
  readonly heard: DeviceMessage[] = [];
  readonly #replies: { readonly reply: HeardReply; readonly correlation: string | undefined }[] = [];
  /** Ids, but for those of requests that the device did not look at. */
  readonly #asked: string[] = [];

  private constructor(client: MqttClient, device: string) {
    this.#client = client;
    this.#device = device;
    client.on("message", (topic, payload, { retain, properties }) => {
      if (topic.includes("/cmd/")) return;
      const text = payload.toString();
      const json: unknown = /^[{[]/.test(text) ? JSON.parse(text) : text;
      this.heard.push({ topic, retain, json });
      const isReply = topic.startsWith(`framepost/${device}/res/`) || topic.startsWith("framepost/reply/");
      if (!isReply) return;
      replySchema.parse(json);
      this.#replies.push({ reply: json as HeardReply, correlation: properties?.correlationData?.toString() });
    });
  }

  static async connect(
    url: string,
    device: string,
    version: ProtocolVersion,
    login: Pick<IClientOptions, "username" | "password"> = {},
  ): Promise<DeviceCaller> {
    const options = { protocolVersion: version === "5" ? 5 : 4, reconnectPeriod: 0, ...login } as const;
    const client = await connectAsync(url, options);
    const caller = new DeviceCaller(client, device);
    await client.subscribeAsync([`framepost/${device}/#`, "framepost/reply/#"], { qos: 1 });
    return caller;
  }

  isPresent(): boolean {
    return this.last("availability")?.json === "online";
  }

  /** What the device said last on a topic of its own. */
  last(rest: string): DeviceMessage | undefined {
    return this.heard.findLast(({ topic }) => topic === `framepost/${this.#device}/${rest}`);
  }

  events(kind: string): readonly unknown[] {
    return this.heard.filter(({ topic }) => topic === this.#own(`event/${kind}`)).map(({ json }) => json);
  }

  /** As it is, without a word on where the reply is to go. */
  async publish(name: string, request: object): Promise<void> {
    await this.#client.publishAsync(this.#own(`cmd/${name}`), JSON.stringify(request), { qos: 1 });
  }

  /** Resolves with the request's id when the broker has it. On MQTT 5 the reply is asked to a topic of the caller's own. */
  async send(name: string, args: object = {}, envelope: object = {}): Promise<string> {
    const request = { id: randomUUID() as string, args, ...envelope };
    const properties = { responseTopic, correlationData: Buffer.from(request.id) };
    const hasProperties = this.#client.options.protocolVersion === 5;
    const options = hasProperties ? ({ qos: 1, properties } as const) : ({ qos: 1 } as const);
    this.#asked.push(request.id);
    await this.#client.publishAsync(this.#own(`cmd/${name}`), JSON.stringify(request), options);
    return request.id;
  }

  /** The only final reply so far. Asks again where the device says that it was asked too often. */
  async ask(name: string, args: object = {}, envelope: object = {}, withinMs = 20_000): Promise<HeardReply> {
    const before = this.#busy();
    const id = await this.send(name, args, envelope);
    await until(() => this.finalsTo(id).length > 0 || this.#busy() > before, `an answer to ${name}`, withinMs);
    const [final, ...more] = this.finalsTo(id);
    if (more.length > 0) throw new Error(`${more.length + 1} final replies to ${name}`);
    if (final !== undefined) return final;
    this.#asked.splice(this.#asked.indexOf(id), 1);
    await delay(1_000 / remoteLimits.requestsPerSecond);
    return this.ask(name, args, envelope, withinMs);
  }

  async finalOf(id: string, withinMs = 20_000): Promise<HeardReply> {
    await until(() => this.finalsTo(id).length > 0, `a final reply to ${id}`, withinMs);
    const [reply] = this.finalsTo(id);
    if (reply === undefined) throw new Error("no reply");
    return reply;
  }

  /** Those before the final one too. On MQTT 5 what does not carry the request's own data back is none. */
  repliesTo(id: string): readonly HeardReply[] {
    return this.#replies
      .filter(({ reply, correlation = id }) => reply.id === id && correlation === id)
      .map(({ reply }) => reply);
  }

  finalsTo(id: string): readonly HeardReply[] {
    return this.repliesTo(id).filter(isFinal);
  }

  /** Of all requests, whoever sent them. */
  finals(): readonly HeardReply[] {
    return this.#replies.map(({ reply }) => reply).filter(isFinal);
  }

  /** How many final replies there were to each request, in their order. */
  finalCounts(): readonly number[] {
    return this.#asked.map((id) => this.finalsTo(id).length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }

  #own(rest: string): string {
    return `framepost/${this.#device}/${rest}`;
  }

  /** Such a reply names nobody's request. */
  #busy(): number {
    return this.#replies.filter(({ reply: { code, id } }) => code === "busy" && id === undefined).length;
  }
}
