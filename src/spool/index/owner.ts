import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../../core/errors.ts";
import { spoolLimits } from "../../core/limits.ts";
import { type Layout, layoutOf, shardOf } from "../layout.ts";
import { indexDamaged } from "./codes.ts";
import { openIndex, setIndexAside, takeLock, type Sql } from "./database.ts";
import { type Depth, examine, flushFolder, sequencesInShard, setEnvelopeAside, shardsOnDisk } from "./disk.ts";
import { FinishedEnvelopes, type Removal } from "./finished.ts";
import { IndexMarks } from "./marks.ts";
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
  /** The owner before did not close the index, so nobody vouches for every page of it. */
  readonly leftOpen: boolean;
  /** Envelopes that the index did not know. */
  readonly recovered: number;
  readonly damaged: number;
  /** Of the damaged ones, those that could not be moved out of the way. */
  readonly immovable: number;
  /** Shards that could not be listed: what they hold waits for a later start. */
  readonly unlisted: number;
}

interface World {
  readonly layout: Layout;
  readonly lock: Sql;
  readonly store: IndexStore;
  readonly marks: IndexMarks;
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
    sign(ownerPath);
    if (setAside) setIndexAside(layout.index);
    const { sql, fresh } = openIndex(layout.index);
    flushFolder(folder);
    const store = new IndexStore(sql);
    const marks = new IndexMarks(sql);
    const closed = marks.takeClosed();
    this.#opened = { layout, lock, store, marks, finished: new FinishedEnvelopes(layout, store) };
    const found = recover({ layout, store, marks }, fresh ? "headers" : "all", lastSequence);
    store.checkpoint();
    this.#collectAll();
    return {
      ...found,
      lastSequence: store.highWater(),
      onDisk: store.onDisk(),
      deferredUntilMs: store.deferredUntilMs(),
      leftOpen: !fresh && !closed,
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
    const { marks, store } = this.#world();
    marks.close();
    store.checkpoint();
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

type Found = Pick<OpenReport, "recovered" | "damaged" | "immovable" | "unlisted">;

/**
 * Brings the index up to what the files say. Only files above the high water are examined: all others were in the index
 * when it was last durable. A fresh index has no high water, so then it is all of them. A shard that cannot be listed is
 * passed over and remembered: its sequences are never used again, and the next start looks into it anew.
 */
function recover(world: Pick<World, "layout" | "store" | "marks">, depth: Depth, lastSequence = Infinity): Found {
  const { layout, store, marks } = world;
  const after = store.highWater();
  const intake = new Intake(layout, store);
  for (const [shard, wanted] of marks.unlisted()) {
    const sequences = sequencesInShard(layout, shard);
    if (sequences === undefined) continue;
    intake.take(
      sequences.filter((sequence) => sequence > wanted && sequence <= lastSequence),
      "headers",
    );
    marks.removeUnlisted(shard);
  }
  const shards = shardsOnDisk(layout, after + 1);
  const unlisted = shards.filter((shard) => {
    const sequences = sequencesInShard(layout, shard);
    const unknown = sequences?.filter((sequence) => sequence > after && sequence <= lastSequence);
    intake.take(unknown ?? [], depth);
    return sequences === undefined;
  });
  intake.flush();
  store.countDamaged(intake.damaged);
  // Also past those without a row: their files may still be there, and their names have been given out.
  if (intake.damaged > 0) store.raiseHighWater(intake.seen);
  for (const shard of unlisted) {
    if (!marks.unlisted().has(shard)) marks.addUnlisted(shard, after);
    skipShard(store, shard);
  }
  const newest = shards.at(-1);
  if (Number.isFinite(lastSequence)) store.raiseHighWater(lastSequence);
  else if (newest !== undefined && newest > shardOf(store.highWater())) skipShard(store, newest);
  else if (newest !== undefined && depth === "headers") skipShard(store, newest);
  const { recovered, damaged, immovable } = intake;
  return { recovered, damaged, immovable, unlisted: marks.unlisted().size };
}

/** Takes envelopes into the index, in groups; damaged ones are set aside. */
class Intake {
  recovered = 0;
  damaged = 0;
  immovable = 0;
  /** The last sequence that was examined. */
  seen = 0;
  readonly #layout: Layout;
  readonly #store: IndexStore;
  #entries: IndexEntry[] = [];

  constructor(layout: Layout, store: IndexStore) {
    this.#layout = layout;
    this.#store = store;
  }

  take(sequences: readonly number[], depth: Depth): void {
    for (const sequence of sequences) {
      if (this.#store.isFinished(sequence)) continue;
      this.seen = sequence;
      const examined = examine(this.#layout, sequence, depth);
      if (examined.ok) this.#entries.push(examined.value);
      else {
        this.damaged += 1;
        if (!setEnvelopeAside(this.#layout, sequence)) this.immovable += 1;
      }
      if (this.#entries.length >= spoolLimits.rebuildRecords) this.flush();
    }
  }

  flush(): void {
    this.#store.insert(this.#entries);
    this.recovered += this.#entries.length;
    this.#entries = [];
  }
}

/** How many sequences of this shard were used cannot be known any more: go on after it. */
function skipShard(store: IndexStore, shard: number): void {
  store.raiseHighWater((shard + 1) * spoolLimits.recordsPerShard - 1);
}

/** For error texts only, so that nothing in its place is a reason not to start. */
function sign(path: string): void {
  try {
    writeFileSync(path, `process ${process.pid}\n`);
  } catch {
    return;
  }
}

function ownerOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim().slice(0, 40);
  } catch {
    return "unknown";
  }
}
