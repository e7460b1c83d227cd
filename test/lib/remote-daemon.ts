import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connectAsync, type IPublishPacket, type MqttClient } from "mqtt";
import type { Reply } from "../../src/remote/reply.ts";
import { AgentProcess, writeConfig } from "./agent.ts";
import { Mosquitto } from "./mosquitto.ts";
import { until } from "./poll.ts";

/** A client that reads slowly misses what is beyond: 1,000 by default, and 0 is no way to say without end. */
const brokerLines = ["allow_anonymous true", "max_queued_messages 100000"];

/** The daemon at a real broker, with cameras that are drawn and a folder that takes every snapshot. */
export class RemoteDaemon implements AsyncDisposable {
  readonly broker = new Mosquitto({ lines: brokerLines });
  readonly replies: Reply[] = [];
  readonly #path: string;
  #file = "";
  #client: MqttClient | undefined;
  #agent: AgentProcess | undefined;
  #onlineTimes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async start(cameras: readonly string[], remote: object = {}): Promise<this> {
    await this.broker.start();
    this.#file = await writeConfig(this.#path, {
      device: { name: "gw" },
      cameras: cameras.map((id) => ({
        ...{ id, driver: "simulated", interval: "300ms", width: 160, height: 120 },
        // Nothing but what is asked for.
        keep: { labels: ["nothing"] },
      })),
      targets: [{ id: "out", kind: "folder", path: this.folder, includeEmpty: true, includeUnlabelled: true }],
      remote: { url: this.broker.url, ...remote },
    });
    const client = await connectAsync(this.broker.url, { protocolVersion: 5, reconnectPeriod: 0 });
    this.#client = client;
    client.on("message", (topic, payload, packet) => this.#hear(topic, payload, packet));
    await client.subscribeAsync(["framepost/gw/res/+", "framepost/reply/#", "framepost/gw/availability"], { qos: 1 });
    return this;
  }

  get folder(): string {
    return join(this.#path, "out");
  }

  get agent(): AgentProcess {
    if (this.#agent === undefined) throw new Error("the daemon does not run");
    return this.#agent;
  }

  /** Resolves when it is online. */
  async launch(): Promise<void> {
    const before = this.#onlineTimes;
    this.#agent = new AgentProcess(["run", "-c", this.#file, "--data", join(this.#path, "data")]);
    await this.#agent.until("it is online", () => this.#onlineTimes > before, 30_000);
  }

  async kill(): Promise<void> {
    this.agent.killGroup("SIGKILL");
    await this.agent.ended();
  }

  async publish(
    topic: string,
    payload: string | Buffer,
    options: Parameters<MqttClient["publishAsync"]>[2] = {},
  ): Promise<void> {
    await this.#client?.publishAsync(topic, payload, { qos: 1, ...options });
  }

  async send(command: string, request: object): Promise<void> {
    await this.publish(`framepost/gw/cmd/${command}`, JSON.stringify(request));
  }

  /** Final replies to one request: the same one may be said again. */
  finalsTo(id: string): readonly Reply[] {
    return this.finals().filter((reply) => reply.id === id);
  }

  finals(): readonly Reply[] {
    return this.replies.filter(({ state }) => state !== "accepted" && state !== "progress");
  }

  /** Of records in the folder: their ids by camera, in the order in which they were kept. */
  async records(): Promise<ReadonlyMap<string, readonly string[]>> {
    const text = await readFile(join(this.folder, "annotations.jsonl"), "utf8").catch(() => "");
    const lines = text
      .split("\n")
      .filter((line) => line.endsWith("}"))
      .map((line) => JSON.parse(line) as Record<"id" | "camera" | "name", string>);
    // A delivery may be made twice where the daemon was killed in it; the record is one.
    const once = [...new Map(lines.map((line) => [line.id, line])).values()];
    const found = new Map<string, string[]>();
    for (const { id, camera } of once.toSorted((a, b) => sequenceOf(a.name) - sequenceOf(b.name))) {
      found.set(camera, [...(found.get(camera) ?? []), id]);
    }
    return found;
  }

  async untilFinal(ids: readonly string[], withinMs = 30_000): Promise<void> {
    await until(() => ids.every((id) => this.finalsTo(id).length > 0), `final replies to ${ids.join(" ")}`, withinMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.[Symbol.asyncDispose]();
    await this.#client?.endAsync(true);
    await this.broker.stop();
  }

  #hear(topic: string, payload: Buffer, { retain }: IPublishPacket): void {
    if (topic !== "framepost/gw/availability") this.replies.push(JSON.parse(payload.toString()) as Reply);
    else if (payload.toString() === "online" && !retain) this.#onlineTimes += 1;
  }
}

function sequenceOf(name: string): number {
  return Number(/-(\d+)\.jpg$/.exec(name)?.[1]);
}
