import { spoolLimits } from "../../core/spool-limits.ts";
import type { Loss, LossReason } from "../../core/ports.ts";
import type { Layout } from "../layout.ts";
import { summed } from "../loss-sum.ts";
import { type Backlog, type BacklogLimit, Backlogs, type Trimmed } from "./backlogs.ts";
import { Evictions } from "./evictions.ts";
import type { Losses } from "./losses.ts";
import { Quarantined } from "./quarantined.ts";
import type { Statements } from "./statements.ts";
import type { Amount, IndexStore } from "./store.ts";
import { Haul, type Spared, Victims } from "./victims.ts";

export type EvictionPolicy = "oldest" | "thin";

/** Evict at least so many records and at least so many bytes, as far as one step goes. */
export interface EvictionRequest extends Amount {
  readonly policy: EvictionPolicy;
  /** Of the record that needs the room: none above it goes. */
  readonly priorityMax: number;
  readonly leased: readonly number[];
}

export interface Evicted {
  /** Whose files are gone now, and their bytes. */
  readonly records: number;
  readonly bytes: number;
  /** Counted since the last answer, also what a full disk did not let be counted then. */
  readonly lost: readonly Loss[];
}

export interface QuarantinePlace {
  readonly targetId: string;
  readonly sequence: number;
}

export interface QuarantineSweep extends Trimmed {
  /** What only quarantine holds, of the rows that were looked at. */
  readonly held: Amount;
  /** Where to go on; absent at the end. */
  readonly next?: QuarantinePlace;
}

/** What goes when there is too much, or when it is too old. Every call is one bounded step. */
export class Bounds {
  readonly #victims: Victims;
  readonly #quarantined: Quarantined;
  readonly #backlogs: Backlogs;
  readonly #evictions: Evictions;
  readonly #store: IndexStore;

  constructor(layout: Layout, statements: Statements, store: IndexStore, losses: Losses) {
    this.#victims = new Victims(statements);
    this.#quarantined = new Quarantined(statements);
    this.#backlogs = new Backlogs(statements, store, losses);
    this.#evictions = new Evictions(layout, statements, store, losses);
    this.#store = store;
  }

  /** What quarantine alone holds goes first, then by priority. */
  evict(request: EvictionRequest): Evicted {
    const haul = this.#haul(request, request.leased);
    this.#quarantined.takeInto(haul, request.priorityMax);
    this.#victims.byPriority(haul, request.policy, request.priorityMax);
    return this.#evict(haul, "room");
  }

  evictOld(addedAtMaxMs: number, leased: readonly number[]): Evicted {
    const haul = this.#haul({ records: spoolLimits.evictStepRecords, bytes: 0 }, leased);
    this.#victims.tooOld(haul, addedAtMaxMs);
    return this.#evict(haul, "age");
  }

  evictQuarantined(wanted: Amount, leased: readonly number[]): Evicted {
    const haul = this.#haul(wanted, leased);
    this.#quarantined.takeInto(haul, Infinity);
    return this.#evict(haul, "quarantine");
  }

  /** Gives up what has been quarantined since before a running time, and measures the rest. */
  sweepQuarantine(after: QuarantinePlace, sinceMaxMs: number): QuarantineSweep {
    const rows = this.#quarantined.page(after);
    const trimmed: Trimmed[] = [];
    for (const targetId of new Set(rows.map((row) => row.targetId))) {
      const old = rows.filter((row) => row.targetId === targetId && row.sinceMs <= sinceMaxMs);
      trimmed.push(this.#backlogs.giveUp(targetId, old, "quarantine"));
    }
    const kept = rows.filter(({ counted, sinceMs }) => counted && sinceMs > sinceMaxMs);
    const last = rows.length < spoolLimits.quarantineScanRows ? undefined : rows.at(-1);
    return {
      lost: summed(trimmed.flatMap(({ lost }) => lost)),
      finished: trimmed.reduce((sum, { finished }) => sum + finished, 0),
      held: { records: kept.length, bytes: kept.reduce((sum, { bytes }) => sum + bytes, 0) },
      ...(last === undefined ? {} : { next: { targetId: last.targetId, sequence: last.sequence } }),
    };
  }

  backlog(targetId: string): Backlog {
    return this.#backlogs.of(targetId);
  }

  trim(limit: BacklogLimit, priorityMax: number, leased: readonly number[]): Trimmed {
    return this.#backlogs.trim(limit, { priorityMax, spared: this.#spared(leased) });
  }

  trimOld(targetId: string, addedAtMaxMs: number, leased: readonly number[]): Trimmed {
    const last = this.#victims.lastAddedBy(addedAtMaxMs);
    if (last === undefined) return { lost: [], finished: 0 };
    return this.#backlogs.giveUpOld(targetId, last, this.#spared(leased));
  }

  /** Forgets records whose files are gone already, as far as the disk lets it. */
  catchUp(): void {
    this.#evictions.forgetRows();
  }

  isGone(sequence: number): boolean {
    return this.#evictions.has(sequence);
  }

  /** Records that are gone although the index still has their rows: nobody may have them. */
  gone(): readonly number[] {
    return [...this.#evictions.gone()];
  }

  /** Everything that takes room. */
  onDisk(): Amount {
    const indexed = this.#store.onDisk();
    const gone = this.#evictions.uncounted();
    return { records: indexed.records - gone.records, bytes: indexed.bytes - gone.bytes };
  }

  #haul(wanted: Amount, leased: readonly number[]): Haul {
    return new Haul(wanted, this.#spared(leased));
  }

  #spared(leased: readonly number[]): Spared {
    return new Set([...leased, ...this.#evictions.spared()]);
  }

  #evict(haul: Haul, reason: LossReason): Evicted {
    const gone = this.#evictions.evict(haul.victims(), reason);
    const bytes = gone.reduce((sum, victim) => sum + victim.bytes, 0);
    return { records: gone.length, bytes, lost: this.#evictions.report() };
  }
}
