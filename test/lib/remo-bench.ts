import assert from "node:assert/strict";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import type { RecordDraft } from "../../src/core/types.ts";
import { RemoSandbox } from "../../src/sandbox/remo/server.ts";
import { remoConfig } from "../../src/targets/remo/config.ts";
import { RemoTarget } from "../../src/targets/remo/target.ts";
import { assertClean } from "./outcome-words.ts";
import { sampleDelivery, sampleJpeg } from "./records.ts";
import { SimulatedClock } from "./seams.ts";
import { MemoryForTarget } from "./target-memory.ts";

const never = new AbortController().signal;

/** A remo target, its stand-in and its memory, which outlives the target as a disk would. */
export class RemoBench implements AsyncDisposable {
  static readonly password = "remo-fault-canary";
  static readonly email = "gateway@site.example";
  readonly sandbox: RemoSandbox;
  readonly url: string;
  readonly memory = new MemoryForTarget();
  readonly clock = new SimulatedClock();
  readonly #settings: object;
  target: RemoTarget;

  static async make(settings: object = {}): Promise<RemoBench> {
    const sandbox = new RemoSandbox({ email: RemoBench.email, password: RemoBench.password });
    const { url } = await sandbox.start();
    return new RemoBench(sandbox, url, settings);
  }

  private constructor(sandbox: RemoSandbox, url: string, settings: object) {
    this.sandbox = sandbox;
    this.url = url;
    this.#settings = settings;
    this.target = this.makeTarget();
  }

  makeTarget(changes: object = {}): RemoTarget {
    const { email, password } = RemoBench;
    const all = {
      id: "remo",
      kind: "remo",
      url: this.url,
      email,
      password,
      datasetId: 1,
      ...this.#settings,
      ...changes,
    };
    const parts = { config: remoConfig.parse(all), memory: this.memory, link: { idleTimeoutMs: 250 } };
    return new RemoTarget(parts, { clock: this.clock });
  }

  /** As after a crash: nothing but the memory is left. */
  async restart(): Promise<void> {
    await this.target.close();
    this.target = this.makeTarget();
  }

  /** By sequence; what is not there was not answered. */
  async deliver(deliveries: readonly Delivery[], signal = never): Promise<readonly Outcome[]> {
    const outcomes = await this.target.deliver(deliveries, signal);
    return deliveries.map(({ record }) => {
      const outcome = outcomes.get(record.id);
      assert.ok(outcome !== undefined, `${record.name} has no outcome`);
      if (outcome.kind !== "accepted") assertClean(outcome.error, [RemoBench.password]);
      return outcome;
    });
  }

  /** The file name, how often it came over the wire, how many such pictures there are, and how many labels they have. */
  holdings(): readonly (readonly [name: string, received: number, kept: number, labels: number])[] {
    const { world } = this.sandbox;
    const names = [...new Set([...world.pictures.values()].map(({ name }) => name))].sort();
    return names.map((name) => {
      const pictures = [...world.pictures.values()].filter((picture) => picture.name === name);
      const labels = pictures.flatMap((picture) => this.sandbox.labelsOf(picture));
      return [name, this.sandbox.timesReceived(name), pictures.length, labels.length] as const;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.target.close();
    await this.sandbox.stop();
  }
}

export function nameOf(sequence: number): string {
  return `gw-07-aaaa-${sequence}.jpg`;
}

/** Records 1 to `count`, each with another picture. */
export function batch(count: number, changes: Partial<RecordDraft> = {}): readonly Delivery[] {
  return Array.from({ length: count }, (_, at) => sampleDelivery(at + 1, sampleJpeg(at + 1), changes));
}

export function carriedOn(deliveries: readonly Delivery[], outcomes: readonly Outcome[]): readonly Delivery[] {
  return deliveries.flatMap((delivery, at) => {
    const outcome = outcomes[at];
    if (outcome?.kind !== "retry") return [];
    const { cursor: before, ...rest } = delivery;
    const cursor = outcome.cursor ?? before ?? "";
    return [cursor === "" ? rest : { ...rest, cursor }];
  });
}
