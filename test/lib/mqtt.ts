import { connectAsync, type IPublishPacket } from "mqtt";
import { SystemClock } from "../../src/core/clock.ts";
import type { Seams } from "../../src/core/ports.ts";
import { RecordingLogger } from "./seams.ts";

/** Real time and no jitter worth waiting for: link tests run against real brokers. */
export function linkSeams(random: () => number = () => 0): Seams & { readonly log: RecordingLogger } {
  return { clock: new SystemClock(), random, log: new RecordingLogger() };
}

/** Everything published under `filter`, as a receiver sees it. */
export class Subscriber {
  readonly packets: IPublishPacket[] = [];
  #close = async () => {};

  async start(url: string, filter = "#"): Promise<this> {
    const client = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 4 });
    this.#close = () => client.endAsync(true);
    client.on("message", (_topic, _payload, packet) => this.packets.push(packet));
    await client.subscribeAsync(filter, { qos: 1 });
    return this;
  }

  topics(): readonly string[] {
    return this.packets.map(({ topic }) => topic);
  }

  async stop(): Promise<void> {
    await this.#close();
  }
}
