import { AgentError } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import type { Loss, LossReason } from "../../core/ports.ts";
import type { Layout } from "../layout.ts";
import { summed } from "../loss-sum.ts";
import { indexDamaged } from "./codes.ts";
import { flushWal } from "./database.ts";
import { flushRemoval, removeEnvelopes } from "./disk.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import type { Amount, IndexStore } from "./store.ts";
import type { Spared, Victim } from "./victims.ts";

interface Evicted {
  readonly bytes: number;
  readonly reason: LossReason;
}

/**
 * Gives whole records up, so that it also works on a disk without a free byte: the index is flushed, which takes no
 * room; the files are removed, several at a time, durably; then their rows go, with the losses counted in the same
 * transaction.
 * When a full disk does not let the rows go they are remembered here, and go as soon as it does. What a crash leaves of
 * them are rows without a file: given up as missing when somebody asks for the record.
 *
 * The flush comes first because a power cut could otherwise take the rows back to before the record was appended, with
 * its file gone: its sequence would be given out again.
 */
export class Evictions {
  readonly #layout: Layout;
  readonly #sql: Statements;
  readonly #store: IndexStore;
  readonly #losses: Losses;
  /** Records whose files are gone and whose rows are not. */
  readonly #rowsLeft = new Map<number, Evicted>();
  #removalIsDurable = true;
  /** Records whose files cannot be removed: they hold up no other. */
  readonly #stuck = new Set<number>();
  #unreported: Loss[] = [];

  constructor(layout: Layout, statements: Statements, store: IndexStore, losses: Losses) {
    this.#layout = layout;
    this.#sql = statements;
    this.#store = store;
    this.#losses = losses;
  }

  /** Records that are gone although the index still has their rows: nobody may have them. */
  gone(): Spared {
    return new Set(this.#rowsLeft.keys());
  }

  /** Nobody may choose them: gone already, or not to be removed. */
  spared(): Spared {
    return new Set([...this.#rowsLeft.keys(), ...this.#stuck]);
  }

  has(sequence: number): boolean {
    return this.#rowsLeft.has(sequence);
  }

  /** Answers with those that are gone now. Fails with `DISK_FULL` while too many rows wait for room. */
  evict(victims: readonly Victim[], reason: LossReason): readonly Victim[] {
    this.forgetRows();
    if (victims.length === 0) return [];
    if (this.#rowsLeft.size + victims.length > spoolLimits.evictedRowsMax) {
      const message = `evict: the index of ${this.#layout.folder} has no room to forget the records that are gone`;
      throw new AgentError("DISK_FULL", message, { disposition: "retry" });
    }
    flushWal(this.#layout.index);
    const sequences = victims.map(({ sequence }) => sequence);
    const stuck = new Set(removeEnvelopes(this.#layout, sequences).map(({ sequence }) => sequence));
    const removed = victims.filter(({ sequence }) => !stuck.has(sequence));
    for (const { sequence, bytes } of removed) this.#rowsLeft.set(sequence, { bytes, reason });
    this.#removalIsDurable = false;
    this.#passOver(stuck);
    this.forgetRows();
    return removed;
  }

  /** As far as the disk lets it; fails only when the index is damaged. */
  forgetRows(): void {
    try {
      if (!this.#removalIsDurable) flushRemoval(this.#layout, [...this.#rowsLeft.keys()]);
      this.#removalIsDurable = true;
      while (this.#rowsLeft.size > 0) this.#forgetSome();
    } catch (error) {
      if (!(error instanceof AgentError) || error.code === indexDamaged) throw error;
    }
  }

  /** What was lost since the last time somebody asked. */
  report(): readonly Loss[] {
    const lost = this.#unreported;
    this.#unreported = [];
    return lost;
  }

  /** What the index still counts although it is gone. */
  uncounted(): Amount {
    const bytes = [...this.#rowsLeft.values()].reduce((sum, evicted) => sum + evicted.bytes, 0);
    return { records: this.#rowsLeft.size, bytes };
  }

  /** Until there are too many to remember: then all are tried again. */
  #passOver(stuck: Spared): void {
    if (this.#stuck.size > spoolLimits.stuckFilesMax) this.#stuck.clear();
    for (const sequence of stuck) this.#stuck.add(sequence);
  }

  #forgetSome(): void {
    const some = [...this.#rowsLeft].slice(0, spoolLimits.collectRecords);
    const lost = this.#sql.transaction("forget what was evicted", () => {
      const taken = some.flatMap(([sequence, { reason }]) =>
        this.#store.removeRecord(sequence).map((delivery) => ({ ...delivery, reason })),
      );
      const counted = summed(taken);
      this.#losses.count(counted);
      return counted;
    });
    for (const [sequence] of some) this.#rowsLeft.delete(sequence);
    this.#unreported.push(...lost);
  }
}
