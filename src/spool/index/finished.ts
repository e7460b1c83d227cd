import { spoolLimits } from "../../core/spool-limits.ts";
import type { Layout } from "../layout.ts";
import { flushWal } from "./database.ts";
import { flushRemoval, removeEnvelopes } from "./disk.ts";
import type { IndexStore } from "./store.ts";

export interface Removal {
  /** There is another group. */
  readonly more: boolean;
  /** Envelopes that cannot be removed, in all, and what came back for the last one that was tried just now. */
  readonly stuck: number;
  readonly stuckError?: { readonly code: string; readonly message: string };
}

/**
 * Removes the envelopes of finished records, group by group. Those that cannot be removed (a folder in their place, a bad
 * sector, an immutable file) still take room and stay in `gone`, but hold up nobody: they are passed over until they are
 * to be tried again.
 */
export class FinishedEnvelopes {
  readonly #layout: Layout;
  readonly #store: IndexStore;
  readonly #stuck = new Set<number>();

  constructor(layout: Layout, store: IndexStore) {
    this.#layout = layout;
    this.#store = store;
  }

  /**
   * Index durable first, then unlink, durably, then forget: any other order loses records in a power cut, or leaves files
   * that nobody knows. The flush makes every outcome so far durable, so it is made also where nothing is finished.
   */
  removeGroup(again: boolean): Removal {
    flushWal(this.#layout.index);
    if (again) this.#stuck.clear();
    // The stuck ones are among the first that the index names.
    const finished = this.#store.finished(spoolLimits.collectRecords + this.#stuck.size);
    const group = finished.filter((sequence) => !this.#stuck.has(sequence)).slice(0, spoolLimits.collectRecords);
    const stuck = new Map(removeEnvelopes(this.#layout, group).map(({ sequence, error }) => [sequence, error]));
    const removed = group.filter((sequence) => !stuck.has(sequence));
    if (removed.length > 0) {
      flushRemoval(this.#layout, removed);
      this.#store.forgetFinished(removed);
    }
    const error = [...stuck.values()].at(-1);
    if (error !== undefined && this.#stuck.size + stuck.size > spoolLimits.stuckFilesMax) throw error;
    for (const sequence of stuck.keys()) this.#stuck.add(sequence);
    return {
      more: group.length === spoolLimits.collectRecords,
      stuck: this.#stuck.size,
      ...(error === undefined ? {} : { stuckError: { code: error.code, message: error.message } }),
    };
  }
}
