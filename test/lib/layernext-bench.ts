import assert from "node:assert/strict";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery, TargetMemory } from "../../src/core/ports.ts";
import { LayernextSandbox, type LayernextSandboxOptions } from "../../src/sandbox/layernext/server.ts";
import { HttpLink } from "../../src/link/http.ts";
import { LayernextClient } from "../../src/targets/layernext/client.ts";
import { layernextConfig } from "../../src/targets/layernext/config.ts";
import type { JobPace } from "../../src/targets/layernext/job.ts";
import { LayernextTarget } from "../../src/targets/layernext/target.ts";
import { assertClean, inWords } from "./outcome-words.ts";
import { sampleDelivery, sampleJpeg } from "./records.ts";
import { SimulatedClock } from "./seams.ts";
import { MemoryForTarget } from "./target-memory.ts";

export const [apiKey, secret] = ["layernext-key", "layernext-fault-canary"];
export const basic = Buffer.from(`${apiKey}:${secret}`).toString("base64");
const never = new AbortController().signal;

export const deliveries = (count: number): readonly Delivery[] =>
  Array.from({ length: count }, (_, at) => sampleDelivery(at + 1, sampleJpeg(at + 1)));

export const words = (outcomes: readonly Outcome[]) => outcomes.map(inWords);

/** What a fault may hit. */
export const steps = {
  references: /label\/references/,
  begin: /uploadMetadataInCollection/,
  initialize: /initializeMultipartUpload/,
  sign: /getMultipartPreSignedUrls/,
  finalize: /finalizeMultipartUpload/,
  complete: /complete$/,
  job: /getStatus/,
  run: /operationdata/,
} as const;

/** A sandbox, a memory, and targets that share it: a new one is a process that was killed and started again. */
export class LayernextBench {
  readonly sandbox: LayernextSandbox;
  readonly memory: TargetMemory & { readonly value?: unknown };
  readonly clock = new SimulatedClock();
  readonly #api: LayernextSandboxOptions["api"];
  readonly #targets: LayernextTarget[] = [];
  readonly #link = new HttpLink({});
  #url = "";

  constructor(options: Partial<LayernextSandboxOptions> = {}, memory = new MemoryForTarget()) {
    this.#api = options.api;
    this.memory = memory;
    this.sandbox = new LayernextSandbox({ apiKey, secret, jobPolls: 1, ...options });
  }

  async start(): Promise<void> {
    ({ url: this.#url } = await this.sandbox.start());
  }

  target(changes: object = {}, pace: Partial<JobPace> = {}): LayernextTarget {
    const { url, memory, clock } = { url: this.#url, memory: this.memory, clock: this.clock };
    const access = { id: "lake", kind: "layernext", url, apiKey, secret, api: this.#api };
    const config = layernextConfig.parse({ ...access, collection: "dock-3", ...changes });
    const target = new LayernextTarget(config, {
      memory,
      clock,
      pace: { pollFirstMs: 250, pollMaxMs: 4_000, waitMs: 10_000, callMs: 20_000, ...pace },
      link: { idleTimeoutMs: 300 },
    });
    this.#targets.push(target);
    return target;
  }

  client(): LayernextClient {
    const { api = "3.x" } = { api: this.#api };
    return new LayernextClient({ url: this.#url, apiKey, secret, api, otherStorage: "refuse" }, this.#link);
  }

  async stop(): Promise<void> {
    for (const target of this.#targets) await target.close();
    this.#link.close();
    await this.sandbox.stop();
  }

  /** How often the server was asked for this step. */
  count(step: string): number {
    return this.sandbox.steps().filter((each) => each === step).length;
  }

  puts(): number {
    return this.sandbox.storage.counts().accepted;
  }
}

/** In the order of the deliveries; no error holds a secret. */
export async function outcomesOf(
  target: LayernextTarget,
  deliveries: readonly Delivery[],
  signal = never,
): Promise<readonly Outcome[]> {
  const outcomes = await target.deliver(deliveries, signal);
  return deliveries.map(({ record }) => {
    const outcome = outcomes.get(record.id);
    assert.ok(outcome !== undefined, `${record.name} has no outcome`);
    if (outcome.kind !== "accepted") assertClean(outcome.error, [secret, basic, "X-Amz-Signature"]);
    return outcome;
  });
}
