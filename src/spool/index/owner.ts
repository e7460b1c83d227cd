import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../../core/errors.ts";
import { spoolLimits } from "../../core/spool-limits.ts";
import type { SentEntry } from "../../core/ports.ts";
import type { DeliverySelection, HeldRecord, HoldRequest, MovedDelivery, SentPage } from "../../core/queue.ts";
import { type Layout, layoutOf } from "../layout.ts";
import type { Backlog, BacklogLimit, Trimmed } from "./backlogs.ts";
import { Bounds, type Evicted, type EvictionRequest, type QuarantinePlace, type QuarantineSweep } from "./bounds.ts";
import { type Change, Changes, type ChangeStep, type LeasedDelivery, type RecordWindow } from "./changes.ts";
import { indexDamaged } from "./codes.ts";
import { flushWal, setFoldersAside, setIndexAside, takeLock, type Sql } from "./database.ts";
import { flushFolder, overheadBytes, setEnvelopeAside, shardsOnDisk } from "./disk.ts";
import { FinishedEnvelopes, type Removal } from "./finished.ts";
import { type InspectedPage, type InspectedTotals, Inspection } from "./inspection.ts";
import { admitKey } from "./key.ts";
import { type FoundId, type IndexedRecord, type IndexStats, Listings, type ListSelection } from "./listings.ts";
import { Losses } from "./losses.ts";
import { IndexMarks } from "./marks.ts";
import { Mender, type Mending } from "./mending.ts";
import { type ReadyDeliveries, type ReadyRequest, selectReady } from "./ready.ts";
import { recover, type Recovered } from "./recovery.ts";
import { openIndex } from "./schema.ts";
import { SentLog } from "./sent-log.ts";
import { Statements } from "./statements.ts";
import { type Amount, type Deferral, type IndexEntry, IndexStore } from "./store.ts";
import { type BackfillPage, type GivenUp, type RemovedTarget, TargetRegistry } from "./targets.ts";
import { type HeldAmount, Transfers } from "./transfers.ts";
import { type WaitingDeliveries, waitingDeliveries } from "./waiting.ts";

export interface OpenOptions {
  readonly folder: string;
  /** The index was found damaged: set it aside first. Only in a fresh thread, where no connection to it lingers. */
  readonly setAside: boolean;
  /** While running: records after this one are not in the index yet, so their files are nobody's business. */
  readonly lastSequence?: number;
  /** While running: no record that is found again is older than this. */
  readonly ranMs?: number;
  /** Those of the config. Where it is absent none counts as new or as removed. */
  readonly targetIds?: readonly string[];
  readonly encryptionKey?: Uint8Array;
}

export interface OpenReport extends Recovered {
  readonly lastSequence: number;
  readonly onDisk: Amount;
  /** No delivery is deferred beyond this: spool time goes on from here. */
  readonly deferredUntilMs: number;
  /** How long spools have run on this folder, as far as the index knows. */
  readonly ranMs: number;
  readonly rebuilt: boolean;
  /** There are envelopes of finished records to be removed. */
  readonly finished: boolean;
  /** Taken out of delivery by an export that has not ended. */
  readonly held: HeldAmount;
  readonly removedTargets: readonly RemovedTarget[];
  /** The owner before did not close the index, so nobody vouches for every page of it. */
  readonly leftOpen: boolean;
}

interface World {
  readonly layout: Layout;
  /** Held as long as this thread lives. */
  readonly lock: Sql;
  readonly sql: Statements;
  readonly marks: IndexMarks;
  readonly store: IndexStore;
  readonly finished: FinishedEnvelopes;
  readonly listings: Listings;
  readonly losses: Losses;
  readonly sentLog: SentLog;
  readonly transfers: Transfers;
  readonly bounds: Bounds;
  readonly changes: Changes;
  readonly inspection: Inspection;
  readonly targets: TargetRegistry;
}

/**
 * The index thread's whole world: it owns the folder's lock and the index, finds again what a crash left behind, and
 * removes finished envelopes. Its public methods are the requests that the main thread may send.
 */
export class IndexOwner {
  #opened: World | undefined;
  #mender: Mender | undefined;

  open(options: OpenOptions): OpenReport {
    const { folder, setAside, lastSequence, ranMs: knownRanMs = 0, encryptionKey: key, targetIds } = options;
    const layout = layoutOf(folder);
    const ownerPath = join(folder, "owner");
    const lock = takeLock(layout.lock, folder, () => ownerOf(ownerPath));
    sign(ownerPath);
    if (setAside) setIndexAside(layout.index);
    else setFoldersAside(layout.index);
    const { sql: connection, fresh } = openIndex(layout.index);
    flushFolder(folder);
    const sql = new Statements(connection);
    const store = new IndexStore(sql);
    const losses = new Losses(sql);
    const targets = new TargetRegistry(sql, store, losses);
    const marks = new IndexMarks(sql);
    const inspection = new Inspection({ sql, store, marks, layout });
    this.#opened = {
      layout,
      lock,
      sql,
      marks,
      store,
      finished: new FinishedEnvelopes(layout, store),
      listings: new Listings(sql, losses),
      losses,
      sentLog: new SentLog(sql),
      transfers: new Transfers(sql, store),
      bounds: new Bounds(layout, sql, store, losses),
      changes: new Changes(sql, store, losses),
      inspection,
      targets,
    };
    const known = { encryptedRecords: sql.value("encrypted"), highWater: store.highWater() };
    const cipher = admitKey({ layout, key, ...known, flush: () => sql.checkpoint() });
    this.#mender = new Mender({ sql, store, losses, inspection, layout, cipher });
    const ranMs = Math.max(sql.value("ran_ms"), knownRanMs, store.newestAddedAtMs());
    const closed = marks.takeClosed();
    const found = recover({ layout, store, marks, cipher }, fresh ? "headers" : "all", ranMs, lastSequence);
    if (fresh) sql.transaction("end the rebuild", () => sql.count(["rebuilding", -1]));
    if (targetIds !== undefined) targets.register(targetIds, ranMs);
    // Folding in a long WAL and removing files would hold up the first lease: both are done on the way.
    if (fresh) this.#makeDurable();
    // No sequence of a damaged file may be given out again, and after a power cut nothing else would tell of it.
    else if (found.damaged > 0) flushWal(layout.index);
    return {
      ...found,
      lastSequence: store.highWater(),
      onDisk: store.onDisk(),
      deferredUntilMs: store.deferredUntilMs(),
      ranMs,
      leftOpen: !fresh && !closed,
      rebuilt: fresh && shardsOnDisk(layout).length > 0,
      finished: store.finished(1).length > 0,
      held: this.#opened.transfers.heldAmount(),
      removedTargets: targetIds === undefined ? [] : targets.removed(),
    };
  }

  /**
   * `ranMs` is running time. `unowed` are targets whose share had no place for the record, which is counted. Answers with
   * what waits for the targets in `asked`.
   */
  insert(
    entry: IndexEntry,
    ranMs: number,
    { unowed = [], asked = [] }: { readonly unowed?: readonly string[]; readonly asked?: readonly string[] } = {},
  ): readonly Backlog[] {
    const { store, losses, bounds } = this.#world();
    const { priority } = entry;
    bounds.catchUp();
    // In one transaction: an append that fails afterwards removes its file, and must not leave a row.
    store.insert([entry], ranMs, () =>
      losses.count(unowed.map((targetId) => ({ targetId, priority, reason: "cap", deliveries: 1 }))),
    );
    return asked.map((targetId) => bounds.backlog(targetId));
  }

  ready(request: ReadyRequest): ReadyDeliveries {
    const { sql, bounds } = this.#world();
    bounds.catchUp();
    const leased = [...request.leased, ...bounds.gone()];
    return selectReady(sql, { ...request, leased }, spoolLimits.wakeRecordsMax);
  }

  /** Takes the delivery off and notes it in the sent log. */
  accept(entry: Omit<SentEntry, "number">): void {
    const { sql, store, sentLog } = this.#world();
    sql.transaction("settle as accepted", () => {
      if (store.accept(entry.sequence, entry.targetId)) sentLog.add(entry);
    });
  }

  quarantine(sequence: number, targetId: string, error: string, ranMs: number): void {
    this.#world().store.quarantine(sequence, targetId, error, ranMs);
  }

  defer(sequence: number, targetId: string, deferral: Deferral): void {
    this.#world().store.defer(sequence, targetId, deferral);
  }

  /** Gives a record up for every target, because its file is damaged or gone. */
  giveUp(sequence: number, why: "damaged" | "missing"): Amount {
    const { layout, sql, store, losses, bounds } = this.#world();
    if (bounds.isGone(sequence)) return bounds.onDisk();
    if (why === "damaged") setEnvelopeAside(layout, sequence);
    sql.transaction("give up", () => {
      const removed = store.removeRecord(sequence);
      if (removed.length === 0) return;
      losses.count(removed.map((delivery) => ({ ...delivery, reason: why, deliveries: 1 })));
      sql.count([why, 1]);
    });
    return bounds.onDisk();
  }

  /** Makes what was settled durable, then removes one group of finished envelopes; `again` tries stuck ones anew. */
  collect(ranMs: number, again: boolean): Removal & { readonly onDisk: Amount } {
    const { finished, bounds } = this.#world();
    const removal = finished.removeGroup(again);
    bounds.catchUp();
    this.#noteRunningTime(ranMs);
    return { ...removal, onDisk: bounds.onDisk() };
  }

  evict(request: EvictionRequest): Evicted & { readonly onDisk: Amount } {
    const { bounds } = this.#world();
    return { ...bounds.evict(request), onDisk: bounds.onDisk() };
  }

  /** Records that were added at or before this running time. */
  evictOld(addedAtMaxMs: number, leased: readonly number[]): Evicted & { readonly onDisk: Amount } {
    const { bounds } = this.#world();
    return { ...bounds.evictOld(addedAtMaxMs, leased), onDisk: bounds.onDisk() };
  }

  evictQuarantined(wanted: Amount, leased: readonly number[]): Evicted & { readonly onDisk: Amount } {
    const { bounds } = this.#world();
    return { ...bounds.evictQuarantined(wanted, leased), onDisk: bounds.onDisk() };
  }

  sweepQuarantine(after: QuarantinePlace, sinceMaxMs: number): QuarantineSweep {
    return this.#world().bounds.sweepQuarantine(after, sinceMaxMs);
  }

  /** Brings what waits for one target down below its limit, as far as nothing above `priorityMax` goes. */
  trim(limit: BacklogLimit, priorityMax: number, leased: readonly number[]): Trimmed & { readonly backlog: Backlog } {
    const { bounds } = this.#world();
    return { ...bounds.trim(limit, priorityMax, leased), backlog: bounds.backlog(limit.targetId) };
  }

  /** Gives up what was added for one target at or before this running time. */
  trimOld(targetId: string, addedAtMaxMs: number, leased: readonly number[]): Trimmed {
    return this.#world().bounds.trimOld(targetId, addedAtMaxMs, leased);
  }

  /** Notes the running time; answers with what else than records lies in the folder. */
  lookAfter(ranMs: number): { readonly overheadBytes: number } {
    const { layout, bounds } = this.#world();
    bounds.catchUp();
    this.#noteRunningTime(ranMs);
    return { overheadBytes: overheadBytes(layout) };
  }

  stats(): IndexStats {
    const { listings, bounds } = this.#world();
    bounds.catchUp();
    return listings.stats();
  }

  waiting(): readonly WaitingDeliveries[] {
    return waitingDeliveries(this.#world().sql);
  }

  list(afterSequence: number, recordsMax: number, selection?: ListSelection): readonly IndexedRecord[] {
    return this.#world().listings.list(afterSequence, recordsMax, selection);
  }

  findId(id: string, afterSequence: number): FoundId {
    return this.#world().listings.findId(id, afterSequence);
  }

  newest(recordsMax: number): readonly number[] {
    return this.#world().listings.newest(recordsMax);
  }

  /** One step of an operator's retry or drop; none of `leased` is touched. */
  change(
    change: Change,
    selection: DeliverySelection,
    among: number | RecordWindow,
    leased: readonly LeasedDelivery[],
  ): ChangeStep {
    return this.#world().changes.step(change, selection, among, leased);
  }

  sent(page: SentPage): readonly SentEntry[] {
    return this.#world().sentLog.page(page);
  }

  /** Durable when it returns. Of the records in `leased` somebody works on a delivery. */
  hold(request: HoldRequest, leased: readonly number[]): readonly HeldRecord[] {
    const { layout, transfers, bounds } = this.#world();
    bounds.catchUp();
    const held = transfers.hold(request, [...leased, ...bounds.gone()]);
    flushWal(layout.index);
    return held;
  }

  held(sequence: number): readonly MovedDelivery[] {
    return this.#world().transfers.deliveriesOf(sequence);
  }

  /** True when the record is finished. */
  release(sequence: number): boolean {
    return this.#world().transfers.release(sequence);
  }

  giveBack(sequences: readonly number[]): void {
    this.#world().transfers.giveBack(sequences);
  }

  /** By `placeOf` a record. */
  wasTakenIn(place: string): boolean {
    return this.#world().transfers.wasTakenIn(place);
  }

  inspect(afterSequence: number, lastIndexed: number): InspectedPage {
    return this.#world().inspection.page(afterSequence, lastIndexed);
  }

  hasRow(sequence: number): boolean {
    return this.#world().inspection.hasRow(sequence);
  }

  inspectTotals(): InspectedTotals {
    return this.#world().inspection.totals();
  }

  /** False where it could not be done. */
  mend(mending: Mending): { readonly mended: boolean; readonly onDisk: Amount } {
    const { store } = this.#world();
    return { mended: this.#mender?.mend(mending) === true, onDisk: store.onDisk() };
  }

  removedTargets(): readonly RemovedTarget[] {
    return this.#world().targets.removed();
  }

  giveUpRemoved(targetId: string): GivenUp {
    return this.#world().targets.giveUpSome(targetId, spoolLimits.giveUpDeliveries);
  }

  backfillPage(targetId: string): BackfillPage {
    return this.#world().targets.backfillPage(targetId);
  }

  backfill(targetId: string, sequences: readonly number[], upTo: number): number {
    return this.#world().targets.backfill(targetId, sequences, upTo);
  }

  close(ranMs: number): void {
    const { sql, marks, bounds } = this.#world();
    bounds.catchUp();
    this.#noteRunningTime(ranMs);
    try {
      marks.close();
    } finally {
      sql.checkpoint();
    }
  }

  /** On a full disk the index cannot grow, but its WAL can be flushed where it is: no reason not to start. */
  #makeDurable(): void {
    const { layout, sql } = this.#world();
    try {
      sql.checkpoint();
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "DISK_FULL") throw error;
      flushWal(layout.index);
    }
  }

  /** On a full disk it has to wait: what makes room comes first. */
  #noteRunningTime(ranMs: number): void {
    const { sql } = this.#world();
    try {
      sql.transaction("note the running time", () => sql.raise("ran_ms", ranMs));
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "DISK_FULL") throw error;
    }
  }

  #world(): World {
    if (this.#opened !== undefined) return this.#opened;
    throw new AgentError(indexDamaged, "use the index: it is not open", { disposition: "retry" });
  }
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
