import type { DiskShare } from "../core/disk-budget.ts";
import type { Collector } from "./collector.ts";
import type { Evictor } from "./evictor.ts";
import type { QuarantinePlace, QuarantineSweep } from "./index/bounds.ts";
import type { IndexClient } from "./index/client.ts";
import type { Trimmed } from "./index/backlogs.ts";
import type { Amount } from "./index/store.ts";
import type { Leases } from "./leases.ts";
import type { LossLog } from "./loss-log.ts";
import type { UpkeepTask } from "./upkeep.ts";

export interface AgeLimits {
  /** Running time; nothing is too old when absent. */
  readonly ageMaxMs?: number;
  /** `share`: of the spool's bounds, for records that only quarantine holds. */
  readonly quarantine: { readonly share: number; readonly ageMaxMs: number };
  readonly bytesMax: number;
  readonly recordsMax: number;
  readonly targets: readonly { readonly id: string; readonly backlog: { readonly ageMaxMs?: number } }[];
}

export interface AgesParts {
  readonly index: IndexClient;
  readonly leases: Leases;
  readonly collector: Collector;
  readonly evictor: Evictor;
  readonly losses: LossLog;
  /** What the spool takes beside its records. */
  readonly overhead: DiskShare;
  readonly ranMs: () => number;
}

/** Gives up what is too old, and what quarantine holds beyond its share. Each request to the index is a bounded step. */
export class Ages implements UpkeepTask {
  readonly name = "ages";
  readonly #limits: AgeLimits;
  readonly #parts: AgesParts;

  constructor(limits: AgeLimits, parts: AgesParts) {
    this.#limits = limits;
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { index, evictor, overhead, losses, ranMs } = this.#parts;
    const { overheadBytes } = await index.call("lookAfter", ranMs());
    overhead.uses(overheadBytes);
    await this.#oldRecords(signal);
    for (const { id, backlog } of this.#limits.targets) {
      if (backlog.ageMaxMs !== undefined) await this.#oldDeliveries(id, ranMs() - backlog.ageMaxMs, signal);
    }
    await this.#quarantine(signal);
    await evictor.keepBounds(signal);
    losses.say();
  }

  async #oldRecords(signal: AbortSignal): Promise<void> {
    const { evictor, index, ranMs } = this.#parts;
    const { ageMaxMs } = this.#limits;
    if (ageMaxMs === undefined) return;
    const addedAtMaxMs = ranMs() - ageMaxMs;
    while (!signal.aborted) {
      const evicted = await evictor.step((leased) => index.call("evictOld", addedAtMaxMs, leased));
      if (evicted === 0) return;
    }
  }

  async #oldDeliveries(targetId: string, addedAtMaxMs: number, signal: AbortSignal): Promise<void> {
    const { index, leases } = this.#parts;
    while (!signal.aborted) {
      const trimmed = await leases.excluding((leased) => index.call("trimOld", targetId, addedAtMaxMs, leased));
      this.#gaveUp(trimmed);
      if (trimmed.lost.length === 0) return;
    }
  }

  async #quarantine(signal: AbortSignal): Promise<void> {
    const { evictor, index } = this.#parts;
    const { quarantine, bytesMax, recordsMax } = this.#limits;
    const held = await this.#sweepQuarantine(signal);
    let over: Amount = {
      records: held.records - Math.floor(recordsMax * quarantine.share),
      bytes: held.bytes - Math.floor(bytesMax * quarantine.share),
    };
    while (!signal.aborted && (over.records > 0 || over.bytes > 0)) {
      const wanted = over;
      let gone = 0;
      const evicted = await evictor.step(async (leased) => {
        const answer = await index.call("evictQuarantined", wanted, leased);
        gone = answer.bytes;
        return answer;
      });
      if (evicted === 0) return;
      over = { records: over.records - evicted, bytes: over.bytes - gone };
    }
  }

  /** What only quarantine holds, after those were given up that it has held for too long. */
  async #sweepQuarantine(signal: AbortSignal): Promise<Amount> {
    const { index, ranMs } = this.#parts;
    const sinceMaxMs = ranMs() - this.#limits.quarantine.ageMaxMs;
    let held: Amount = { records: 0, bytes: 0 };
    let place: QuarantinePlace | undefined = { targetId: "", sequence: 0 };
    while (place !== undefined && !signal.aborted) {
      const sweep: QuarantineSweep = await index.call("sweepQuarantine", place, sinceMaxMs);
      this.#gaveUp(sweep);
      held = { records: held.records + sweep.held.records, bytes: held.bytes + sweep.held.bytes };
      place = sweep.next;
    }
    return held;
  }

  #gaveUp({ lost, finished }: Trimmed): void {
    const { losses, collector } = this.#parts;
    losses.add(lost);
    collector.settled(finished);
  }
}
