import { spoolLimits } from "../core/spool-limits.ts";
import type { Logger } from "../core/ports.ts";
import type { RecordDraft } from "../core/types.ts";
import type { IndexClient } from "./index/client.ts";
import type { RecordReader } from "./reader.ts";
import type { UpkeepTask } from "./upkeep.ts";

interface BackfillTarget {
  readonly id: string;
  readonly wants: (draft: RecordDraft) => boolean;
}

export interface BackfillParts {
  readonly index: IndexClient;
  readonly reader: RecordReader;
  readonly log: Logger;
  /** Only those that are to be backfilled. */
  readonly targets: readonly BackfillTarget[];
  /** The target may have something to lease now. */
  readonly wake: (targetId: string) => void;
}

/**
 * Owes a new target the records that were there before it, as far as it wants them, oldest first. How far it got is in the
 * index, so that a restart goes on. A record that all its other targets accept before its turn comes is not there any more.
 */
export class Backfill implements UpkeepTask {
  readonly name = "backfill new targets";
  readonly #parts: BackfillParts;
  /** By target: records that the disk could not read once. A second time they are passed over. */
  readonly #unreadable = new Map<string, Set<number>>();

  constructor(parts: BackfillParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (const target of this.#parts.targets) {
      let deliveries = 0;
      try {
        for (let step = 0; step < spoolLimits.backfillStepsMax; step += 1) {
          const owed = await this.#step(target, signal);
          if (owed === undefined) break;
          deliveries += owed;
        }
      } finally {
        if (deliveries > 0) this.#parts.log.info("spool.target.backfilled", { target: target.id, deliveries });
      }
    }
  }

  /** The number of new deliveries; undefined when there is nothing left to do, or not now. */
  async #step({ id, wants }: BackfillTarget, signal: AbortSignal): Promise<number | undefined> {
    const { index, reader, wake } = this.#parts;
    const page = await index.call("backfillPage", id);
    if (page.done) return undefined;
    const unreadable = this.#unreadable.get(id) ?? new Set();
    const wanted: number[] = [];
    for (const sequence of page.sequences) {
      // Cut short: nothing is noted, and all of the page are asked about again.
      if (signal.aborted) return undefined;
      const reading = await reader.record(sequence);
      if (reading.kind === "record" && wants(reading.record)) wanted.push(sequence);
      if (reading.kind === "unreadable" && !unreadable.has(sequence)) {
        this.#unreadable.set(id, unreadable.add(sequence));
        return undefined;
      }
    }
    this.#unreadable.delete(id);
    const owed = await index.call("backfill", id, wanted, page.upTo);
    if (owed > 0) wake(id);
    return owed;
  }
}
