import { connectAsync, type MqttClient } from "mqtt";
import type { Reply } from "../../src/remote/reply.ts";
import { isFinal } from "../../src/remote/reply.ts";
import { until } from "./poll.ts";

/** Sends commands to a device through a real broker, as an operator's program does, and keeps what is said to it. */
export class RemoteCaller implements AsyncDisposable {
  readonly replies: Reply[] = [];
  readonly #client: MqttClient;
  readonly #device: string;
  readonly #version: 4 | 5;
  #asked = 0;

  private constructor(client: MqttClient, device: string, version: 4 | 5) {
    this.#client = client;
    this.#device = device;
    this.#version = version;
    client.on("message", (_, payload) => this.replies.push(JSON.parse(payload.toString()) as Reply));
  }

  /** On MQTT 5 it has its replies sent to a topic of its own, on 3.1.1 (`4`) it hears those of the device. */
  static async open(url: string, device: string, version: 4 | 5): Promise<RemoteCaller> {
    const client = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: version });
    const caller = new RemoteCaller(client, device, version);
    await client.subscribeAsync(version === 5 ? "framepost/reply/caller" : `framepost/${device}/res/+`, { qos: 1 });
    return caller;
  }

  /** Resolves with the final reply. `envelope` is what else the request says, for example `dry`. */
  async ask(name: string, args: object = {}, withinMs = 20_000, envelope: object = {}): Promise<Reply> {
    this.#asked += 1;
    const id = `caller-${this.#asked}`;
    const properties = this.#version === 5 ? { properties: { responseTopic: "framepost/reply/caller" } } : {};
    const topic = `framepost/${this.#device}/cmd/${name}`;
    await this.#client.publishAsync(topic, JSON.stringify({ id, args, ...envelope }), { qos: 1, ...properties });
    await until(() => this.finals(id).length > 0, `a final reply to ${name}`, withinMs);
    const [reply] = this.finals(id);
    if (reply === undefined) throw new Error("no reply");
    return reply;
  }

  finals(id: string): readonly Reply[] {
    return this.replies.filter((reply) => reply.id === id && isFinal(reply));
  }

  /** How many final replies there were to each request, in their order. */
  finalCounts(): readonly number[] {
    return Array.from({ length: this.#asked }, (_, at) => this.finals(`caller-${at + 1}`).length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}
