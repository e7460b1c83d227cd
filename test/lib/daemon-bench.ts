import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { SpoolListing } from "../../src/core/ports.ts";
import type { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { agentOutput, AgentProcess, writeConfig } from "./agent.ts";
import type { Subscriber } from "./mqtt.ts";
import { tempFolder } from "./temp.ts";

/** A daemon with its config and state folder, which outlive its processes, and the ledger of what it stored. */

export interface Arrival {
  readonly id: string;
  readonly name: string;
  readonly camera: string;
  readonly capturedAtMs: number;
  readonly labelled: boolean;
  readonly labels: number;
  readonly sha256: string;
}

/** What came out of a broker, in order of arrival, repeats included. */
export function arrivalsAt({ packets }: Subscriber): readonly Arrival[] {
  return packets.map((packet) => {
    const known = arrivals.get(packet);
    if (known !== undefined) return known;
    const { id, name, camera, capturedAt, labelled, labels, image } = JSON.parse(packet.payload.toString()) as {
      readonly id: string;
      readonly name: string;
      readonly camera: string;
      readonly capturedAt: string;
      readonly labelled: boolean;
      readonly labels: readonly unknown[];
      readonly image: string;
    };
    const sha256 = createHash("sha256").update(Buffer.from(image, "base64")).digest("hex");
    const capturedAtMs = Date.parse(capturedAt);
    const arrival = { id, name, camera, capturedAtMs, labelled, labels: labels.length, sha256 };
    arrivals.set(packet, arrival);
    return arrival;
  });
}

/** Parsing the same megabytes at every look would be most of the test's time. */
const arrivals = new WeakMap<object, Arrival>();

export function hashesAt(sandbox: IotownSandbox): ReadonlySet<string> {
  return new Set(sandbox.stored().map(({ sha256 }) => sha256));
}

export class DaemonBench implements AsyncDisposable {
  readonly folder: string;
  readonly #temp: AsyncDisposable;
  readonly #agents: AgentProcess[] = [];
  #config = "";

  private constructor(temp: AsyncDisposable & { readonly path: string }) {
    this.#temp = temp;
    this.folder = temp.path;
  }

  static async make(): Promise<DaemonBench> {
    return new DaemonBench(await tempFolder());
  }

  get dataFolder(): string {
    return join(this.folder, "data");
  }

  /** Running, and with a detector. */
  async start(config: object): Promise<AgentProcess> {
    this.#config = await writeConfig(this.folder, { device: { name: "bench" }, ...config });
    const agent = new AgentProcess(["run", "-c", this.#config, "--data", this.dataFolder, "--log-level", "debug"]);
    this.#agents.push(agent);
    await agent.untilLogged("started", 1, 20_000);
    return agent;
  }

  /** Ids of the records that were stored, over all its processes. */
  stored(): readonly string[] {
    return this.#agents.flatMap((agent) => agent.logged("record.stored").map(({ recordId }) => String(recordId)));
  }

  /** Of a daemon that is stopped. */
  async queue(): Promise<readonly SpoolListing[]> {
    const words = ["queue", "ls", "--json", "--limit", "100000", "-c", this.#config, "--data", this.dataFolder];
    const lines = (await agentOutput(...words)).map((line) => JSON.parse(line) as unknown);
    assert.deepEqual(lines.at(-1), { listed: lines.length - 1 });
    return lines.slice(0, -1) as SpoolListing[];
  }

  /** Ends every process of it, whatever state it is in. */
  async end(): Promise<void> {
    for (const agent of this.#agents) await agent[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.#temp[Symbol.asyncDispose]();
  }
}
