import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery, Target, TargetCapacity } from "../../src/core/ports.ts";
import type { RecordDraft } from "../../src/core/types.ts";

/** What a test lets its target answer. */
export type Answer = (deliveries: readonly Delivery[], signal: AbortSignal) => Promise<ReadonlyMap<string, Outcome>>;

/** A target that answers as it is told and remembers what it was given. */
export class ScriptedTarget implements Target {
  readonly id: string;
  readonly kind = "scripted";
  readonly calls: { readonly atMs: number; readonly recordIds: readonly string[] }[] = [];
  readonly accepted: string[] = [];
  inFlight = 0;
  inFlightMax = 0;
  wanted: (draft: RecordDraft) => boolean = () => true;
  readonly #answer: Answer;
  readonly #capacity: Partial<TargetCapacity>;
  readonly #nowMs: () => number;

  constructor(id: string, answer: Answer, capacity: Partial<TargetCapacity> = {}, nowMs: () => number = () => 0) {
    this.id = id;
    this.#answer = answer;
    this.#capacity = capacity;
    this.#nowMs = nowMs;
  }

  capacity(): TargetCapacity {
    return { recordsPerCallMax: 1, bytesPerCallMax: 1_000_000, callsInFlightMax: 1, ...this.#capacity };
  }

  wants(draft: RecordDraft): boolean {
    return this.wanted(draft);
  }

  async start(): Promise<void> {
    return Promise.resolve();
  }

  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    this.calls.push({ atMs: this.#nowMs(), recordIds: deliveries.map(({ record }) => record.id) });
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    try {
      const answers = await this.#answer(deliveries, signal);
      for (const [id, outcome] of answers) if (outcome.kind === "accepted") this.accepted.push(id);
      return answers;
    } finally {
      this.inFlight -= 1;
    }
  }

  async close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The same answer rule for each record by itself. */
export function each(answer: (delivery: Delivery) => Outcome): Answer {
  return async (deliveries) => new Map(deliveries.map((delivery) => [delivery.record.id, answer(delivery)]));
}
