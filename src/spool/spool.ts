import { DiskBudget } from "../core/disk-budget.ts";
import { AgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type {
  Delivery,
  LeaseLimit,
  Seams,
  Settlement,
  Spool,
  SpoolListing,
  SpoolStats,
  WaitingFor,
} from "../core/ports.ts";
import type { Queue } from "../core/queue.ts";
import type { RecordDraft, StoredRecord } from "../core/types.ts";
import { Ulids } from "../core/ulid.ts";
import { Ages } from "./ages.ts";
import { Appender } from "./appender.ts";
import { Backfill } from "./backfill.ts";
import { Caps } from "./caps.ts";
import { checkValueOf, keyOf, RecordCipher } from "./cipher.ts";
import { Collector } from "./collector.ts";
import { Deliveries } from "./deliveries.ts";
import { DueSignals, stopped } from "./due.ts";
import { Evictor } from "./evictor.ts";
import { EnvelopeFiles } from "./files.ts";
import { FreeSpace } from "./free-space.ts";
import type { EvictionPolicy } from "./index/bounds.ts";
import { IndexClient } from "./index/client.ts";
import type { OpenReport } from "./index/owner.ts";
import { layoutOf } from "./layout.ts";
import { Leases } from "./leases.ts";
import { LossLog } from "./loss-log.ts";
import { SpoolQueue } from "./queue.ts";
import { NewestShares } from "./newest-share.ts";
import { RecordReader } from "./reader.ts";
import { RemovedTargets } from "./removed-targets.ts";
import { Room, type RoomOptions } from "./room.ts";
import { SpoolTime } from "./spool-time.ts";
import { Transfer } from "./transfer.ts";
import { Upkeep, type UpkeepTask } from "./upkeep.ts";
import { Verifier } from "./verifier.ts";

/**
 * Promise: at least once per (record, target). A record that `append` accepted survives kill -9 and a power cut. After
 * kill -9 no settled outcome is lost; after a power cut at most those of the last 64 deliveries or 5 seconds are sent
 * again; after a rebuilt index every record still on disk is owed again. Memory does not depend on the backlog.
 *
 * Invariants
 *   I1  A record is visible if and only if the index has a row for it. No temporary names are needed.
 *   I2  A row is written only after its envelope is durable. A row without an envelope was being evicted when the process
 *       ended, or is a loss from outside: counted as missing.
 *   I3  Rows are written in the order of sequences, and the high water is the last of them. So after any crash every
 *       acknowledged record is in the index, or has an envelope above the index's high water.
 *   I4  An envelope is removed only after the index that says "finished" is durable, or, where it is evicted, after the
 *       index that knows its record is. What is leased or held is never evicted.
 *   I5  A sequence is never used twice, also when the index is lost: the newest shard is never removed, and after a loss
 *       sequences go on in the next one.
 *   I6  One process owns the folder.
 *
 * Append   1 check the bounds and the free space, and evict where they do not hold · 2 take a sequence · 3 write the
 *          envelope under its final name, fsync (up to four at a time) · 4 wait for the records before · 5 insert the
 *          rows, no flush · 6 acknowledge. On failure the file is removed and the sequence stays unused; when the disk
 *          turns out to be full, there is one eviction and one more try.
 * Settle   1 write the outcome, no flush · 2 when it was the last target, move the row to `gone` · 3 end the lease.
 * Collect  every 64 outcomes, or 5 s after the first, in the index thread: 1 fdatasync the WAL, which makes the outcomes
 *          durable · 2 unlink the envelopes of `gone`, durably · 3 forget them. A crash before 3 unlinks again what is not there,
 *          which is no error.
 * Evict    in this order: what is finished; what only quarantine holds; per target, its deliveries beyond its share;
 *          the lowest priority, by policy, but never above that of the record that needs the room. In the index thread,
 *          while nobody leases: 1 choose by reading alone · 2 fdatasync the WAL, which takes no room · 3 unlink, several
 *          at a time, durably · 4 delete the rows and count the losses, in one transaction; on a full disk as soon as it lets
 *          them go, and until then nobody is given these records. Deliveries that go alone are taken off as settled ones.
 * Recover  1 take the lock · 2 open the index; a damaged one is set aside, and an empty one begun · 3 examine the
 *          envelopes above the high water: whole ones get rows, owed to those their metadata names; damaged ones are
 *          set aside · 4 collect and fold in the WAL on the way, so that neither holds up the first lease.
 */
export interface DiskSpoolOptions extends RoomOptions {
  readonly folder: string;
  /** Those of the config. Absent where a command only looks: then none counts as new or as removed. */
  readonly targets?: readonly SpoolTarget[];
  /** Running time between a target's removal from the config and the end of what it is owed. */
  readonly removedTargetsAfterMs?: number;
  /** First part of every record's name. */
  readonly device: string;
  /**
   * Encrypts every record from now on: 64 hexadecimal digits, or 32 bytes in base64. Records in the clear stay readable.
   * Another form fails with `SPOOL_KEY_INVALID`; `start` fails with `SPOOL_KEY_WRONG` or `SPOOL_KEY_MISSING` while the
   * folder holds records that it cannot decrypt.
   */
  readonly encryptionKey?: string;
  /** Records that have been here for this long, in running time, are given up. */
  readonly ageMaxMs?: number;
  /**
   * What goes when there is no room for a new record: of the lowest priority the oldest, or records spread evenly over
   * time; or nothing, and the new one is refused. Never what is leased or held, nor what matters more than the new one.
   */
  readonly eviction: EvictionPolicy | "none";
  /** For records that only quarantine holds: their share of `bytesMax` and of `recordsMax`, and how long, in running time. */
  readonly quarantine: { readonly share: number; readonly ageMaxMs: number };
  /** What else lies on the disk and counts; `bytesMax` alone when absent. */
  readonly budget?: DiskBudget;
  /** What is given out of a record, whose file stays as it is: its time may have become known since. Itself when absent. */
  readonly corrected?: (record: StoredRecord) => StoredRecord;
  /** Called when the spool cannot go on in this process; from then on everything but `stop` fails. */
  readonly onDead?: (error: AgentError) => void;
}

const heldHint =
  "an export has not ended, and these records are not delivered: repeat framepost queue export with the same folder, or, if that is lost, give them back with framepost queue retry --all --state held";

/** What the spool has to know of a configured target. */
export interface SpoolTarget {
  readonly id: string;
  /** 0 to 1: the share of what is leased that goes to the newest records while more waits than one lease takes. */
  readonly newestShare: number;
  /** A new target is owed the records that are there already, as far as it wants them. */
  readonly backfill: boolean;
  /** Bounds of what waits for this target alone; beyond them its oldest deliveries are given up. */
  readonly backlog: { readonly recordsMax?: number; readonly bytesMax?: number; readonly ageMaxMs?: number };
  readonly wants: (draft: RecordDraft) => boolean;
}

/** What the spool lost to damage, beside the port's figures. */
export interface DiskSpoolStats extends SpoolStats {
  /** Envelopes that were cut or changed, and envelopes that somebody removed. */
  readonly damaged: number;
  readonly missing: number;
  /** Of `records`: those that need the key. */
  readonly encrypted: number;
}

export class DiskSpool implements Spool {
  readonly #seams: Seams;
  readonly #files: EnvelopeFiles;
  readonly #index: IndexClient;
  readonly #room: Room;
  readonly #appender: Appender;
  readonly #leases = new Leases();
  readonly #due: DueSignals;
  readonly #collector: Collector;
  readonly #losses: LossLog;
  readonly #time: SpoolTime;
  readonly #reader: RecordReader;
  readonly #deliveries: Deliveries;
  readonly #removedTargets: RemovedTargets;
  readonly #upkeep: Upkeep;
  /** What an operator does with this spool. */
  readonly queue: Queue;
  #state: "new" | "running" | "stopped" = "new";

  constructor(options: DiskSpoolOptions, seams: Seams) {
    this.#seams = seams;
    const key = options.encryptionKey === undefined ? undefined : keyOf(options.encryptionKey);
    const cipher = key === undefined ? undefined : new RecordCipher(key);
    this.#files = new EnvelopeFiles(layoutOf(options.folder), cipher);
    const budget = options.budget ?? new DiskBudget(options.bytesMax);
    this.#room = new Room(options, budget);
    this.#losses = new LossLog(seams.clock, seams.log);
    this.#due = new DueSignals(seams.clock);
    this.#time = new SpoolTime(seams.clock);
    const { targets } = options;
    this.#index = this.#indexClient(options, key);
    this.#collector = new Collector(seams.clock, seams.log, async (again) => {
      const { onDisk, ...collected } = await this.#index.call("collect", this.#time.ranMs(), again);
      this.#room.stored(onDisk);
      return collected;
    });
    const parts = {
      ...{ index: this.#index, leases: this.#leases, files: this.#files, room: this.#room },
      ...{ collector: this.#collector, losses: this.#losses },
    };
    const freeSpace = new FreeSpace(async () => await this.#files.freeBytes(), seams.clock);
    const evictor = new Evictor({ ...parts, freeSpace, policy: options.eviction });
    const ranMs = (): number => this.#time.ranMs();
    this.#appender = new Appender(
      {
        ...{ files: this.#files, room: this.#room, evictor, caps: new Caps(targets ?? [], parts) },
        insert: async (entry, { unowed, capped }) =>
          await this.#index.call("insert", entry, ranMs(), { unowed, asked: capped }),
      },
      options.device,
      seams,
    );
    const { corrected = (record: StoredRecord) => record } = options;
    const sources = { files: this.#files, index: this.#index, room: this.#room };
    this.#reader = new RecordReader({ ...sources, corrected, log: seams.log });
    this.#deliveries = new Deliveries({
      index: this.#index,
      leases: this.#leases,
      due: this.#due,
      time: this.#time,
      reader: this.#reader,
      newestShares: new NewestShares(new Map((targets ?? []).map(({ id, newestShare }) => [id, newestShare]))),
      nowMs: () => seams.clock.nowMs(),
      settled: () => this.#collector.settled(),
    });
    this.queue = this.#queueOf(options.device, key === undefined ? undefined : checkValueOf(key));
    this.#removedTargets = new RemovedTargets({
      index: this.#index,
      time: this.#time,
      log: seams.log,
      graceMs: options.removedTargetsAfterMs ?? spoolLimits.defaultRemovedTargetsAfterMs,
      settled: () => this.#collector.settled(),
    });
    const overhead = budget.share("index");
    const ages = new Ages({ ...options, targets: targets ?? [] }, { ...parts, evictor, overhead, ranMs });
    this.#upkeep = new Upkeep(
      seams.clock,
      seams.log,
      targets === undefined ? [] : [...this.#targetTasks(targets), ages],
    );
  }

  /** Fails with `SPOOL_LOCKED` when another process works on the folder. An object starts once. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state !== "new") throw stopped("start");
    const format = await this.#files.prepare();
    if (format === "envelopes") this.#seams.log.warn("spool.version.restored");
    const report = await this.#index.start();
    this.#time.begin(report);
    this.#appender.continueAfter(report.lastSequence, await this.#idFor(report));
    this.#adopt(report);
    this.#state = "running";
    this.#upkeep.start();
  }

  async append(draft: RecordDraft, jpeg: Buffer, owedTo: readonly string[]): Promise<StoredRecord> {
    this.#mustRun("append");
    if (owedTo.length === 0) {
      throw new AgentError("SPOOL_NOT_OWED", "append: no target is owed this record", { disposition: "reject" });
    }
    const record = await this.#appender.append(draft, jpeg, owedTo);
    for (const targetId of owedTo) this.#due.wake(targetId);
    return record;
  }

  async lease(targetId: string, limit: LeaseLimit): Promise<readonly Delivery[]> {
    this.#mustRun("lease");
    return await this.#deliveries.lease(targetId, limit);
  }

  async settle(targetId: string, recordId: string, settlement: Settlement): Promise<void> {
    this.#mustRun("settle");
    await this.#deliveries.settle(targetId, recordId, settlement);
  }

  async waitForDue(targetId: string, signal: AbortSignal): Promise<void> {
    this.#mustRun("wait");
    await this.#due.wait(targetId, signal);
  }

  /** Until something that waits for this target may be leased; undefined where nothing is known to wait. */
  dueInMs(targetId: string): number | undefined {
    return this.#due.inMs(targetId);
  }

  async stats(): Promise<DiskSpoolStats> {
    this.#mustRun("count");
    const { targets, oldestAddedAtMs, ...figures } = await this.#index.call("stats");
    return {
      ...figures,
      ...(oldestAddedAtMs === undefined
        ? {}
        : { oldestAgeMs: Math.max(0, Math.round(this.#time.ranMs() - oldestAddedAtMs)) }),
      lastSequence: this.#appender.lastIndexedSequence(),
      evicting: this.#losses.evicting(),
      targets: targets.map(({ absentSinceMs, ...target }) => ({
        ...target,
        leased: this.#leases.count(target.targetId),
        ...(absentSinceMs === undefined ? {} : { removedForMs: Math.max(0, this.#time.ranMs() - absentSinceMs) }),
      })),
    };
  }

  /** Beside `stats`: what waits for each target, in bytes, and how long its oldest record has. */
  async waiting(): Promise<readonly WaitingFor[]> {
    this.#mustRun("count");
    const found = await this.#index.call("waiting");
    return found.map(({ oldestAddedAtMs, ...target }) =>
      oldestAddedAtMs === undefined
        ? target
        : { ...target, oldestAgeMs: Math.max(0, Math.round(this.#time.ranMs() - oldestAddedAtMs)) },
    );
  }

  async list(page: { readonly afterSequence: number; readonly recordsMax: number }): Promise<readonly SpoolListing[]> {
    return await this.queue.list(page);
  }

  /** Safe at any time, also twice. Waits for what is being written. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#due.close();
    await this.#upkeep.stop();
    await this.#appender.close();
    await this.#collector.stop();
    await this.#index.stop();
    this.#losses.say(true);
    this.#leases.clear();
  }

  /** Second part of every record's name: new where sequences start, so that none is ever taken for an older one. */
  async #idFor({ lastSequence }: OpenReport): Promise<string> {
    const kept = lastSequence === 0 ? undefined : await this.#files.readId();
    if (kept !== undefined) return kept;
    if (lastSequence > 0) this.#seams.log.warn("spool.id.renewed", { lastSequence });
    const { clock, random } = this.#seams;
    const made = new Ulids(clock, random).next().slice(-8).toLowerCase();
    await this.#files.writeId(made);
    return made;
  }

  #indexClient({ folder, targets, onDead }: DiskSpoolOptions, key: Uint8Array | undefined): IndexClient {
    const { log, clock } = this.#seams;
    return new IndexClient({
      folder,
      ...(targets === undefined ? {} : { targetIds: targets.map(({ id }) => id) }),
      encryptionKey: key,
      lastSequence: () => this.#appender.lastIndexedSequence(),
      ranMs: () => this.#time.ranMs(),
      clock,
      onReplaced: (report, cause) => {
        log.error("spool.index.replaced", { code: cause.code, message: cause.message });
        this.#adopt(report);
        this.#due.wakeAll();
      },
      onChecked: (verdict, tookMs) => {
        if (verdict.kind === "failed") log.warn("spool.index.unchecked", { ...verdict });
        else log.info("spool.index.checked", { tookMs });
      },
      onDead: (error) => onDead?.(error),
    });
  }

  #queueOf(device: string, keyCheck: string | undefined): Queue {
    const parts = {
      files: this.#files,
      index: this.#index,
      leases: this.#leases,
      due: this.#due,
      reader: this.#reader,
    };
    const transfer = new Transfer({
      ...parts,
      appender: this.#appender,
      keyCheck,
      finished: () => this.#collector.settled(),
    });
    return new SpoolQueue({
      ...parts,
      verifier: new Verifier({
        index: this.#index,
        files: this.#files,
        room: this.#room,
        leases: this.#leases,
        lastSequence: () => this.#appender.lastIndexedSequence(),
      }),
      transfer,
      stats: async () => await this.stats(),
      settled: (outcomes) => this.#collector.settled(outcomes),
      device,
      mustRun: (attempted) => this.#mustRun(attempted),
    });
  }

  #targetTasks(targets: readonly SpoolTarget[]): readonly UpkeepTask[] {
    const backfilled = targets.filter(({ backfill }) => backfill);
    const wake = (targetId: string): void => this.#due.wake(targetId);
    const parts = { index: this.#index, reader: this.#reader, log: this.#seams.log };
    return [this.#removedTargets, new Backfill({ ...parts, targets: backfilled, wake })];
  }

  #adopt(report: OpenReport): void {
    const { onDisk, rebuilt, recovered, damaged, immovable, unlisted, held, lastSequence, removedTargets } = report;
    this.#room.stored(onDisk);
    if (report.finished) this.#collector.settled();
    this.#removedTargets.announce(removedTargets);
    if (rebuilt) this.#seams.log.warn("spool.index.rebuilt", { records: recovered, lastSequence });
    else if (recovered > 0) this.#seams.log.info("spool.recovered", { records: recovered });
    if (damaged > 0) this.#seams.log.warn("spool.envelopes.damaged", { records: damaged, leftInPlace: immovable });
    if (unlisted > 0) this.#seams.log.warn("spool.shards.unlisted", { shards: unlisted });
    if (held.records > 0) this.#seams.log.warn("spool.held", { ...held, mend: heldHint });
  }

  #mustRun(attempted: string): void {
    if (this.#state !== "running") throw stopped(attempted);
  }
}
