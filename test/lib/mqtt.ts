import { randomUUID } from "node:crypto";
import { connectAsync, type IPublishPacket } from "mqtt";
import { SystemClock } from "../../src/core/clock.ts";
import type { Seams } from "../../src/core/ports.ts";
import { eventually } from "./mosquitto.ts";
import { RecordingLogger } from "./seams.ts";

/** Real time and no jitter worth waiting for: link tests run against real brokers. */
export function linkSeams(random: () => number = () => 0): Seams & { readonly log: RecordingLogger } {
  return { clock: new SystemClock(), random, log: new RecordingLogger() };
}

/** Everything published under `filter`, as a receiver sees it. */
export class Subscriber {
  readonly packets: IPublishPacket[] = [];
  readonly #marks = `mark/${randomUUID()}`;
  #close = async () => {};
  #publish: (topic: string, text: string, retain?: boolean) => Promise<void> = async () => {};

  async start(url: string, filter = "#"): Promise<this> {
    const client = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 4 });
    this.#close = () => client.endAsync(true);
    this.#publish = async (topic, text, retain = false) => {
      await client.publishAsync(topic, text, { qos: 1, retain });
    };
    client.on("message", (_topic, _payload, packet) => this.packets.push(packet));
    await client.subscribeAsync(filter === "#" ? filter : [filter, `${this.#marks}/#`], { qos: 1 });
    return this;
  }

  /** Resolves when the broker has it. */
  async say(topic: string, text: string, { retain = false } = {}): Promise<void> {
    await this.#publish(topic, text, retain);
  }

  /** Everything that the broker took before this call has then arrived: it keeps the order. */
  async caughtUp(): Promise<void> {
    const mark = `${this.#marks}/${this.packets.length}`;
    await this.#publish(mark, "");
    await eventually("the mark comes back", () => this.packets.some(({ topic }) => topic === mark));
    this.packets.splice(
      this.packets.findIndex(({ topic }) => topic === mark),
      1,
    );
  }

  topics(): readonly string[] {
    return this.packets.map(({ topic }) => topic);
  }

  async stop(): Promise<void> {
    await this.#close();
  }
}
