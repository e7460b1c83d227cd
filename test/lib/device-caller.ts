import { randomUUID } from "node:crypto";
import { connectAsync, type MqttClient } from "mqtt";
import { replySchema } from "../../src/remote/reply-schema.ts";
import type { Reply } from "../../src/remote/reply.ts";
import { isFinal } from "../../src/remote/reply.ts";
import { until } from "./poll.ts";

export interface DeviceMessage {
  readonly topic: string;
  readonly retain: boolean;
  readonly json: unknown;
}

/** Whoever steers a device over a broker, on either version of the protocol; every reply is held against its schema. */
export class DeviceCaller implements AsyncDisposable {
  readonly #client: MqttClient;
  readonly #device: string;
  /** All that the device has said, in its order. */
  readonly heard: DeviceMessage[] = [];
  readonly #replies: { readonly reply: Reply; readonly correlation: string | undefined }[] = [];

  private constructor(client: MqttClient, device: string) {
    this.#client = client;
    this.#device = device;
    client.on("message", (topic, payload, { retain, properties }) => {
      const text = payload.toString();
      const json: unknown = /^[{[]/.test(text) ? JSON.parse(text) : text;
      this.heard.push({ topic, retain, json });
      const isReply = topic.startsWith(`framepost/${device}/res/`) || topic.startsWith("framepost/reply/");
      if (!isReply) return;
      replySchema.parse(json);
      this.#replies.push({ reply: json as Reply, correlation: properties?.correlationData?.toString() });
    });
  }

  static async connect(url: string, device: string, version: "5" | "3.1.1"): Promise<DeviceCaller> {
    const client = await connectAsync(url, { protocolVersion: version === "5" ? 5 : 4, reconnectPeriod: 0 });
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

  /** Replies to one request: those before the final one, and all that come with it. An id is made where it has none. */
  async replies(name: string, request: object = {}, withinMs = 20_000): Promise<readonly Reply[]> {
    const id = randomUUID();
    const responses = this.#client.options.protocolVersion === 5;
    const properties = { responseTopic: "framepost/reply/test", correlationData: Buffer.from(id) };
    await this.#client.publishAsync(
      `framepost/${this.#device}/cmd/${name}`,
      JSON.stringify({ id, ...request }),
      responses ? { qos: 1, properties } : { qos: 1 },
    );
    const mine = () =>
      this.#replies
        .filter(({ reply, correlation }) => (responses ? correlation === id : reply.id === id && reply.cmd === name))
        .map(({ reply }) => reply);
    await until(() => mine().some(isFinal), `a final reply to ${name}`, withinMs);
    return mine();
  }

  async send(name: string, request: object): Promise<void> {
    await this.#client.publishAsync(`framepost/${this.#device}/cmd/${name}`, JSON.stringify(request), { qos: 1 });
  }

  finals(): readonly Reply[] {
    return this.#replies.map(({ reply }) => reply).filter(isFinal);
  }

  finalsTo(id: string): readonly Reply[] {
    return this.finals().filter((reply) => reply.id === id);
  }

  async reply(name: string, args: object = {}, more: object = {}): Promise<Reply> {
    const final = (await this.replies(name, { args, ...more })).filter(isFinal);
    if (final.length !== 1 || final[0] === undefined) throw new Error(`${final.length} final replies to ${name}`);
    return final[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}
