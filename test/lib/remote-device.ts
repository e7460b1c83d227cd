import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import { AgentProcess, writeConfig } from "./agent.ts";
import { until } from "./poll.ts";
import { tempFolder } from "./temp.ts";

/** A reply or an event, as a caller sees it. */
export interface Heard {
  readonly topic: string;
  readonly retain: boolean;
  readonly message: Readonly<Record<string, unknown>>;
}

export interface FinalReply {
  readonly state: string;
  readonly code: string;
  readonly message?: string;
  readonly error?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly revision: number;
  readonly duplicate?: true;
}

/** Somebody at a broker who commands the device `gw`. */
export class RemoteCaller {
  readonly heard: Heard[] = [];
  readonly #client: MqttClient;
  #asked = 0;

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on("message", (topic, payload, { retain }) => {
      if (payload[0] !== 123 || topic.includes("/cmd/")) return;
      this.heard.push({ topic, retain, message: JSON.parse(payload.toString()) as Heard["message"] });
    });
  }

  static async connect(url: string, options: IClientOptions = {}): Promise<RemoteCaller> {
    const caller = new RemoteCaller(await connectAsync(url, { reconnectPeriod: 0, ...options }));
    await caller.#client.subscribeAsync("framepost/gw/#", { qos: 1 });
    return caller;
  }

  /** Resolves when the broker has it; with the request's id. */
  async send(name: string, args: object = {}, envelope: object = {}): Promise<string> {
    this.#asked += 1;
    const request = { id: `request-${this.#asked}`, args, ...envelope };
    await this.#client.publishAsync(`framepost/gw/cmd/${name}`, JSON.stringify(request), { qos: 1 });
    return request.id;
  }

  /** The final reply. Asks again where the device says that it was asked too often. */
  async ask(name: string, args: object = {}, envelope: object = {}, withinMs = 15_000): Promise<FinalReply> {
    const before = this.#busy();
    const id = await this.send(name, args, envelope);
    await until(() => this.finals(id).length > 0 || this.#busy() > before, `an answer to ${id}`, withinMs);
    if (this.finals(id).length > 0) return this.finalOf(id);
    await delay(1_000 / remoteLimits.requestsPerSecond);
    return this.ask(name, args, envelope, withinMs);
  }

  async finalOf(id: string, withinMs = 15_000): Promise<FinalReply> {
    await until(() => this.finals(id).length > 0, `a final reply to ${id}`, withinMs);
    const [reply] = this.finals(id);
    if (reply === undefined) throw new Error("no reply");
    return reply as unknown as FinalReply;
  }

  /** Such a reply names nobody's request. */
  #busy(): number {
    return this.heard.filter(({ message }) => message["code"] === "busy" && message["id"] === undefined).length;
  }

  replies(id: string): readonly Heard["message"][] {
    return this.heard
      .filter(({ topic }) => topic.includes("/res/"))
      .flatMap(({ message }) => (message["id"] === id ? [message] : []));
  }

  finals(id: string): readonly Heard["message"][] {
    return this.replies(id).filter(({ state }) => state !== "accepted" && state !== "progress");
  }

  events(kind: string): readonly Heard["message"][] {
    return this.heard.filter(({ topic }) => topic.endsWith(`/event/${kind}`)).map(({ message }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}

/** The folder of a device `gw` with a simulated camera and a folder target, whose daemon can be started and killed. */
export async function remoteDevice(config: object) {
  const folder = await tempFolder();
  const data = join(folder.path, "data");
  const file = await writeConfig(folder.path, {
    device: { name: "gw" },
    cameras: [{ id: "front", driver: "simulated", interval: "300ms", width: 320, height: 240 }],
    targets: [{ id: "out", kind: "folder", path: "out" }],
    ...config,
  });
  return {
    ...{ file, data, folder: folder.path },
    /** Connected, or as long as it takes to be told so. */
    async start(): Promise<AgentProcess> {
      const agent = new AgentProcess(["run", "-c", file, "--data", data]);
      await agent.untilLogged("mqtt.connected", 1, 20_000);
      return agent;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
