import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../../core/errors.ts";
import { spoolLimits } from "../../core/limits.ts";
import { type Layout, layoutOf, shardOf } from "../layout.ts";
import { indexDamaged } from "./codes.ts";
import { openIndex, setIndexAside, takeLock, type Sql } from "./database.ts";
import { type Depth, examine, flushFolder, sequencesInShard, setEnvelopeAside, shardsOnDisk } from "./disk.ts";
import { FinishedEnvelopes, type Removal } from "./finished.ts";
import {
  type Amount,
  type Deferral,
  type IndexedRecord,
  type IndexEntry,
  type IndexStats,
  IndexStore,
  type ReadyDeliveries,
} from "./store.ts";

export interface OpenOptions {
  readonly folder: string;
  /** The index was found damaged: set it aside first. Only in a fresh thread, where no connection to it lingers. */
  readonly setAside: boolean;
  /** While running: records after this one are not in the index yet, so their files are nobody's business. */
  readonly lastSequence?: number;
}

export interface OpenReport {
  readonly lastSequence: number;
  readonly onDisk: Amount;
  /** No delivery is deferred beyond this: spool time goes on from here. */
  readonly deferredUntilMs: number;
  readonly rebuilt: boolean;
  /** Envelopes that the index did not know. */
  readonly recovered: number;
  readonly damaged: number;
}

interface World {
  readonly layout: Layout;
  readonly lock: Sql;
  readonly store: IndexStore;
  readonly finished: FinishedEnvelopes;
}

/**
 * The index thread's whole world: it owns the folder's lock and the index, finds again what a crash left behind, and
 * removes finished envelopes. Its public methods are the requests that the main thread may send.
 */
export class IndexOwner {
  #opened: World | undefined;

  open({ folder, setAside, lastSequence }: OpenOptions): OpenReport {
    const layout = layoutOf(folder);
    const ownerPath = join(folder, "owner");
    const lock = takeLock(layout.lock, folder, () => ownerOf(ownerPath));
    writeFileSync(ownerPath, `process ${process.pid}\n`);
    if (setAside) setIndexAside(layout.index);
    const { sql, fresh } = openIndex(layout.index);
    flushFolder(folder);
    const store = new IndexStore(sql);
    this.#opened = { layout, lock, store, finished: new FinishedEnvelopes(layout, store) };
    const found = recover(layout, store, fresh ? "headers" : "all", lastSequence);
    store.checkpoint();
    this.#collectAll();
    return {
      ...found,
      lastSequence: store.highWater(),
      onDisk: store.onDisk(),
      deferredUntilMs: store.deferredUntilMs(),
      rebuilt: fresh && shardsOnDisk(layout).length > 0,
    };
  }

  insert(entry: IndexEntry): void {
    this.#world().store.insert([entry]);
  }

  ready(targetId: string, nowMs: number, deliveriesMax: number): ReadyDeliveries {
    return this.#world().store.ready(targetId, nowMs, deliveriesMax, spoolLimits.wakeRecordsMax);
  }

  /** True when the record is finished. */
  accept(sequence: number, targetId: string): boolean {
    return this.#world().store.accept(sequence, targetId);
  }

  quarantine(sequence: number, targetId: string, error: string): void {
    this.#world().store.quarantine(sequence, targetId, error);
  }

  defer(sequence: number, targetId: string, deferral: Deferral): void {
    this.#world().store.defer(sequence, targetId, deferral);
  }

  giveUp(sequence: number, why: "damaged" | "missing"): Amount {
    const { layout, store } = this.#world();
    if (why === "damaged") setEnvelopeAside(layout, sequence);
    store.giveUp(sequence, why);
    return store.onDisk();
  }

  /** Makes all outcomes so far durable and removes one group of finished envelopes; `again` tries stuck ones anew. */
  collect(again: boolean): Removal & { readonly onDisk: Amount } {
    const { store, finished } = this.#world();
    return { ...finished.removeGroup(again), onDisk: store.onDisk() };
  }

  stats(): IndexStats {
    return this.#world().store.stats();
  }

  list(afterSequence: number, recordsMax: number): readonly IndexedRecord[] {
    return this.#world().store.list(afterSequence, recordsMax);
  }

  close(): void {
    this.#opened?.store.checkpoint();
  }

  /** What cannot be removed takes room, and is tried again later; it is no reason not to start. */
  #collectAll(): void {
    const { store, finished } = this.#world();
    try {
      while (store.finished(1).length > 0 && finished.removeGroup(false).more) continue;
    } catch (error) {
      if (!(error instanceof AgentError) || error.code === indexDamaged) throw error;
    }
  }

  #world(): World {
    if (this.#opened !== undefined) return this.#opened;
    throw new AgentError(indexDamaged, "use the index: it is not open", { disposition: "retry" });
  }
}

/**
 * Brings the index up to what the files say. Only files above the high water are examined: all others were in the index
 * when it was last durable. A fresh index has no high water, so then it is all of them.
 */
function recover(
  layout: Layout,
  store: IndexStore,
  depth: Depth,
  lastSequence = Infinity,
): { readonly recovered: number; readonly damaged: number } {
  const after = store.highWater();
  let recovered = 0;
  let damaged = 0;
  let seen = after;
  let entries: IndexEntry[] = [];
  const flush = (): void => {
    store.insert(entries);
    recovered += entries.length;
    entries = [];
  };
  const shards = shardsOnDisk(layout, after + 1);
  for (const shard of shards) {
    for (const sequence of sequencesInShard(layout, shard)) {
      if (sequence <= after || sequence > lastSequence || store.isFinished(sequence)) continue;
      seen = sequence;
      const examined = examine(layout, sequence, depth);
      if (examined.ok) entries.push(examined.value);
      else {
        setEnvelopeAside(layout, sequence);
        damaged += 1;
      }
      if (entries.length >= spoolLimits.rebuildRecords) flush();
    }
  }
  flush();
  store.countDamaged(damaged);
  // Also past those without a row: their files may still be there, and their names have been given out.
  if (damaged > 0) store.raiseHighWater(seen);
  const newest = shards.at(-1);
  if (Number.isFinite(lastSequence)) store.raiseHighWater(lastSequence);
  else if (newest !== undefined && newest > shardOf(store.highWater())) skipShard(store, newest);
  else if (newest !== undefined && depth === "headers") skipShard(store, newest);
  return { recovered, damaged };
}

/** How many sequences of this shard were used cannot be known any more: go on after it. */
function skipShard(store: IndexStore, shard: number): void {
  store.raiseHighWater((shard + 1) * spoolLimits.recordsPerShard - 1);
}

function ownerOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim().slice(0, 40);
  } catch {
    return "unknown";
  }
}
