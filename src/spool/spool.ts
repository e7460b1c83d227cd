import { AgentError, asAgentError, messageOf } from "../core/errors.ts";
import { spoolLimits } from "../core/limits.ts";
import type { Delivery, LeaseLimit, Seams, Settlement, Spool, SpoolListing, SpoolStats } from "../core/ports.ts";
import type { RecordDraft, StoredRecord } from "../core/types.ts";
import { Ulids } from "../core/ulid.ts";
import { Appender } from "./appender.ts";
import { Collector } from "./collector.ts";
import { DueSignals, stopped } from "./due.ts";
import type { Metadata } from "./envelope.ts";
import { EnvelopeFiles, type Reading } from "./files.ts";
import { IndexClient } from "./index/client.ts";
import type { OpenReport } from "./index/owner.ts";
import type { ReadyDelivery } from "./index/store.ts";
import { layoutOf } from "./layout.ts";
import { Leases } from "./leases.ts";
import { Room, type RoomOptions } from "./room.ts";

/**
 * Promise: at least once per (record, target). A record that `append` accepted survives kill -9 and a power cut. After
 * kill -9 no settled outcome is lost; after a power cut at most those of the last 64 deliveries or 5 seconds are sent
 * again; after a rebuilt index every record still on disk is owed again. Memory does not depend on the backlog.
 *
 * Invariants
 *   I1  A record is visible if and only if the index has a row for it. No temporary names are needed.
 *   I2  A row is written only after its envelope is durable. A row without an envelope is a loss from outside: counted.
 *   I3  Rows are written in the order of sequences, and the high water is the last of them. So after any crash every
 *       acknowledged record is in the index, or has an envelope above the index's high water.
 *   I4  An envelope is removed only after the index that says "finished" is durable.
 *   I5  A sequence is never used twice, also when the index is lost: the newest shard is never removed, and after a loss
 *       sequences go on in the next one.
 *   I6  One process owns the folder.
 *
 * Append   1 check the bounds and the free space · 2 take a sequence · 3 write the envelope under its final name, fsync
 *          (up to four at a time) · 4 wait for the records before · 5 insert the rows, no flush · 6 acknowledge.
 *          On failure the file is removed and the sequence stays unused.
 * Settle   1 write the outcome, no flush · 2 when it was the last target, move the row to `gone` · 3 end the lease.
 * Collect  every 64 outcomes, or 5 s after the first, in the index thread: 1 fdatasync the WAL, which makes the outcomes
 *          durable · 2 unlink the envelopes of `gone` · 3 forget them. A crash before 3 unlinks again what is not there,
 *          which is no error.
 * Recover  1 take the lock · 2 open the index; a damaged one is set aside, and an empty one begun · 3 examine the
 *          envelopes above the high water: whole ones get rows, owed to those their metadata names; damaged ones are
 *          set aside · 4 checkpoint, which makes it durable · 5 collect.
 */
export interface DiskSpoolOptions extends RoomOptions {
  readonly folder: string;
  /** First part of every record's name. */
  readonly device: string;
  /** Called when the spool cannot go on in this process; from then on everything but `stop` fails. */
  readonly onDead?: (error: AgentError) => void;
}

/** What the spool lost to damage, beside the port's figures. */
export interface DiskSpoolStats extends SpoolStats {
  /** Envelopes that were cut or changed, and envelopes that somebody removed. */
  readonly damaged: number;
  readonly missing: number;
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
  #state: "new" | "running" | "stopped" = "new";
  /** What to add to monotonic time to get spool time, in which delays are stored: it goes on across restarts. */
  #spoolTimeOffsetMs = 0;

  constructor(options: DiskSpoolOptions, seams: Seams) {
    this.#seams = seams;
    this.#files = new EnvelopeFiles(layoutOf(options.folder));
    this.#room = new Room(options);
    this.#due = new DueSignals(seams.clock);
    this.#index = new IndexClient({
      folder: options.folder,
      lastSequence: () => this.#appender.lastIndexedSequence(),
      clock: seams.clock,
      onReplaced: (report, cause) => {
        seams.log.error("spool.index.replaced", { code: cause.code, message: cause.message });
        this.#adopt(report);
        this.#due.wakeAll();
      },
      onChecked: (verdict, tookMs) => {
        if (verdict.kind === "failed") seams.log.warn("spool.index.unchecked", { ...verdict });
        else seams.log.info("spool.index.checked", { tookMs });
      },
      onDead: (error) => options.onDead?.(error),
    });
    this.#collector = new Collector(seams.clock, seams.log, async (again) => {
      const { onDisk, ...collected } = await this.#index.call("collect", again);
      this.#room.stored(onDisk);
      return collected;
    });
    this.#appender = new Appender(
      {
        files: this.#files,
        room: this.#room,
        insert: async (entry) => await this.#index.call("insert", entry),
        collect: async () => await this.#collector.now(),
      },
      options.device,
      seams,
    );
  }

  /** Fails with `SPOOL_LOCKED` when another process works on the folder. An object starts once. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state !== "new") throw stopped("start");
    const format = await this.#files.prepare();
    if (format === "envelopes") this.#seams.log.warn("spool.version.restored");
    const report = await this.#index.start();
    this.#spoolTimeOffsetMs = report.deferredUntilMs - this.#seams.clock.monotonicMs();
    this.#appender.continueAfter(report.lastSequence, await this.#idFor(report));
    this.#adopt(report);
    this.#state = "running";
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
    return await this.#leases.inTurn(targetId, async () => {
      for (;;) {
        this.#mustRun("lease");
        const chosen = await this.#choose(targetId, limit);
        const leased = await this.#open(targetId, chosen);
        // All chosen ones unreadable: they are set aside or deferred now, so the next ones have their turn.
        if (leased.length > 0 || chosen.length === 0) return leased;
      }
    });
  }

  async settle(targetId: string, recordId: string, settlement: Settlement): Promise<void> {
    this.#mustRun("settle");
    const sequence = this.#leases.sequenceOf(targetId, recordId);
    switch (settlement.kind) {
      case "accepted":
        await this.#index.call("accept", sequence, targetId);
        break;
      case "rejected":
        await this.#index.call("quarantine", sequence, targetId, errorOf(settlement));
        break;
      case "retry":
        await this.#defer(targetId, recordId, sequence, settlement);
        break;
      case "release":
        break;
    }
    if (settlement.kind !== "release") this.#collector.settled();
    this.#leases.remove(targetId, recordId);
    if (settlement.kind === "release" || (settlement.kind === "retry" && settlement.afterMs <= 0)) {
      this.#due.wake(targetId);
    }
  }

  async waitForDue(targetId: string, signal: AbortSignal): Promise<void> {
    this.#mustRun("wait");
    await this.#due.wait(targetId, signal);
  }

  async stats(): Promise<DiskSpoolStats> {
    this.#mustRun("count");
    const { targets, ...figures } = await this.#index.call("stats");
    return {
      ...figures,
      lastSequence: this.#appender.lastIndexedSequence(),
      targets: targets.map((target) => ({ ...target, leased: this.#leases.count(target.targetId) })),
    };
  }

  async list(page: { readonly afterSequence: number; readonly recordsMax: number }): Promise<readonly SpoolListing[]> {
    this.#mustRun("list");
    const recordsMax = Math.min(page.recordsMax, spoolLimits.listRecordsMax);
    const listed: SpoolListing[] = [];
    let { afterSequence } = page;
    while (listed.length < recordsMax) {
      const rows = await this.#index.call("list", afterSequence, recordsMax - listed.length);
      for (const { sequence, deliveries } of rows) {
        afterSequence = sequence;
        const record = await this.#recordAt(sequence);
        if (record !== undefined) listed.push({ record, deliveries });
      }
      if (rows.length === 0) break;
    }
    return listed;
  }

  /** Safe at any time, also twice. Waits for what is being written. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#due.close();
    await this.#appender.close();
    await this.#collector.stop();
    await this.#index.stop();
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

  /** Ready deliveries that nobody works on, up to the limit but at least one. */
  async #choose(targetId: string, limit: LeaseLimit): Promise<readonly ReadyDelivery[]> {
    this.#due.leasing(targetId);
    const leased = this.#leases.sequences(targetId);
    const recordsMax = Math.max(1, Math.min(limit.recordsMax, spoolLimits.listRecordsMax));
    // The leased ones are still in the queue, at its head.
    const asked = recordsMax + leased.size;
    const { deliveries, nextAtMs } = await this.#index
      .call("ready", targetId, this.#spoolNowMs(), asked)
      .catch((error: unknown) => {
        // Nobody knows whether something is due; whoever asks again paces itself.
        this.#due.wake(targetId);
        throw error;
      });
    if (nextAtMs !== undefined) this.#due.wakeAt(targetId, nextAtMs - this.#spoolTimeOffsetMs);
    const chosen: ReadyDelivery[] = [];
    let bytes = 0;
    for (const delivery of deliveries) {
      if (leased.has(delivery.sequence)) continue;
      bytes += delivery.imageBytes;
      const full = chosen.length >= recordsMax || bytes > limit.bytesMax;
      if (full && chosen.length > 0) break;
      chosen.push(delivery);
    }
    if (leased.size + chosen.length < deliveries.length || deliveries.length === asked) this.#due.wake(targetId);
    return chosen;
  }

  /** Reads the records of chosen deliveries and leases them: all of them, or on a failure none. */
  async #open(targetId: string, chosen: readonly ReadyDelivery[]): Promise<readonly Delivery[]> {
    const leased: Delivery[] = [];
    try {
      for (const { sequence, attempts, cursor } of chosen) {
        const record = await this.#recordAt(sequence, targetId);
        if (record === undefined) continue;
        this.#leases.add(targetId, record.id, sequence);
        const image = async (): Promise<Buffer> => await this.#imageOf(record);
        leased.push({ record, attempts, ...(cursor === undefined ? {} : { cursor }), image });
      }
      return leased;
    } catch (error) {
      for (const { record } of leased) this.#leases.remove(targetId, record.id);
      this.#due.wake(targetId);
      throw error;
    }
  }

  /**
   * The record in an envelope. A damaged or missing one is given up for every target, counted and logged; one that the
   * cannot be read just now, or may not be, is deferred for `targetId`. Either way nothing else is held up.
   */
  async #recordAt(sequence: number, targetId?: string): Promise<StoredRecord | undefined> {
    let reading: Reading<Metadata>;
    try {
      reading = await this.#files.readMetadata(sequence);
    } catch (error) {
      const failure = asAgentError(error, `read record ${sequence}`);
      this.#seams.log.warn("spool.record.unreadable", { sequence, code: failure.code, message: failure.message });
      if (targetId !== undefined) await this.#passOver(sequence, targetId, failure);
      return undefined;
    }
    if (reading.ok) return reading.value.record;
    this.#seams.log.warn("spool.record.lost", { sequence, damage: reading.damage });
    const why = reading.damage === "missing" ? "missing" : "damaged";
    this.#room.stored(await this.#index.call("giveUp", sequence, why));
    return undefined;
  }

  async #passOver(sequence: number, targetId: string, failure: AgentError): Promise<void> {
    const dueAtMs = this.#spoolNowMs() + spoolLimits.unreadableDelayMs;
    await this.#index.call("defer", sequence, targetId, { dueAtMs, charged: false, error: errorOf(failure) });
    this.#due.wakeAt(targetId, dueAtMs - this.#spoolTimeOffsetMs);
  }

  async #imageOf({ id, sequence }: StoredRecord): Promise<Buffer> {
    const reading = await this.#files.readImage(sequence);
    if (reading.ok) return reading.value;
    throw new AgentError("RECORD_UNREADABLE", `read the image of record ${id}: ${reading.damage}`, {
      disposition: "reject",
    });
  }

  async #defer(
    targetId: string,
    recordId: string,
    sequence: number,
    settlement: Extract<Settlement, { kind: "retry" }>,
  ): Promise<void> {
    const { afterMs, charged, cursor } = settlement;
    if (cursor !== undefined && Buffer.byteLength(cursor) > spoolLimits.cursorBytesMax) {
      throw new AgentError("SPOOL_CURSOR_TOO_LONG", `settle ${recordId} for ${targetId}: its cursor is too long`, {
        disposition: "reject",
        facts: { bytesMax: spoolLimits.cursorBytesMax },
      });
    }
    const dueAtMs = this.#spoolNowMs() + Math.max(0, afterMs);
    const kept = cursor === undefined ? {} : { cursor };
    await this.#index.call("defer", sequence, targetId, { dueAtMs, charged, error: errorOf(settlement), ...kept });
    this.#due.wakeAt(targetId, dueAtMs - this.#spoolTimeOffsetMs);
  }

  #adopt({ onDisk, rebuilt, recovered, damaged, immovable, unlisted, lastSequence }: OpenReport): void {
    this.#room.stored(onDisk);
    if (rebuilt) this.#seams.log.warn("spool.index.rebuilt", { records: recovered, lastSequence });
    else if (recovered > 0) this.#seams.log.info("spool.recovered", { records: recovered });
    if (damaged > 0) this.#seams.log.warn("spool.envelopes.damaged", { records: damaged, leftInPlace: immovable });
    if (unlisted > 0) this.#seams.log.warn("spool.shards.unlisted", { shards: unlisted });
  }

  #spoolNowMs(): number {
    return this.#seams.clock.monotonicMs() + this.#spoolTimeOffsetMs;
  }

  #mustRun(attempted: string): void {
    if (this.#state !== "running") throw stopped(attempted);
  }
}

function errorOf({ code, message }: { readonly code: string; readonly message: string }): string {
  return messageOf(`${code}: ${message}`, spoolLimits.errorCharsMax);
}
