import { randomUUID } from "node:crypto";
import { connect, type MqttClient } from "mqtt";
import { until } from "./poll.ts";

interface Answer {
  readonly id?: string;
  readonly state: string;
  readonly code: string;
  readonly message?: string;
}

/** Whoever steers the device through its broker's troubles: connects again and again, and forgets what was answered. */
export class SoakCaller {
  readonly #client: MqttClient;
  readonly #answers = new Map<string, Answer>();
  readonly #device: string;
  answered = 0;

  constructor(url: string, device: string) {
    this.#device = device;
    this.#client = connect(url, { protocolVersion: 5, reconnectPeriod: 300, connectTimeout: 2_000 });
    this.#client.on("error", () => undefined);
    this.#client.on("connect", () => this.#client.subscribe(`framepost/${device}/res/+`, { qos: 1 }));
    this.#client.on("message", (_topic, payload) => {
      const answer = JSON.parse(payload.toString()) as Answer;
      if (answer.state === "accepted" || answer.state === "progress" || answer.id === undefined) return;
      this.answered += 1;
      if (this.#answers.has(answer.id)) this.#answers.set(answer.id, answer);
    });
  }

  /** The code of its answer; `undefined` where none came in time: the request may have been lost with the broker. */
  async ask(name: string, args: object = {}, withinMs = 5_000): Promise<string | undefined> {
    const id = randomUUID();
    this.#answers.set(id, { state: "open", code: "" });
    try {
      if (!this.#client.connected) await until(() => this.#client.connected, "the broker", withinMs);
      this.#client.publish(`framepost/${this.#device}/cmd/${name}`, JSON.stringify({ id, args }), { qos: 1 });
      await until(() => this.#answers.get(id)?.state !== "open", `an answer to ${name}`, withinMs);
      return this.#answers.get(id)?.code;
    } catch {
      return undefined;
    } finally {
      this.#answers.delete(id);
    }
  }

  /** Until it is obeyed. */
  async insist(name: string, args: object, withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while ((await this.ask(name, args)) !== "ok") {
      if (performance.now() > endMs) throw new Error(`nobody obeys ${name}`);
    }
  }

  async stop(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
