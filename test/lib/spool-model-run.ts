import assert from "node:assert/strict";
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import Database from "libsql";
import type { Delivery, Random, Settlement, SpoolListing } from "../../src/core/ports.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { DeliverySelection } from "../../src/core/queue.ts";
import type { RecordDraft } from "../../src/core/types.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import type { DiskSpool, SpoolTarget } from "../../src/spool/spool.ts";
import { diskSpoolOf } from "./disk-spool.ts";
import { draftOf, imageOf } from "./drafts.ts";
import { IndexThreads } from "./index-threads.ts";
import { seededRandom } from "./seams.ts";
import { SpoolModel, type SpoolView } from "./spool-model.ts";
import { UpkeepClock } from "./upkeep-clock.ts";
import { findingsOf } from "./verify.ts";

export interface ModelFigures {
  sequences: number;
  operations: number;
  /** Records given up to make room. */
  evicted: number;
  reopened: number;
  crashed: number;
  /** Crashes while a settlement was under way: some are kept, some not. */
  crashedSettling: number;
  compared: number;
}

/** Sequences on one spool, carried over from one to the next; then a new one begins. */
const sequencesPerSpool = 50;
const recordsMax = 12;
const hourMs = 3_600_000;
const graceMs = 5 * hourMs;

const always: readonly SpoolTarget[] = [
  { id: "a", newestShare: 0, backfill: false, backlog: {}, wants: () => true },
  { id: "b", newestShare: 0.3, backfill: false, backlog: {}, wants: () => true },
];
/** Comes and goes, and is backfilled when it is new. */
const guest: SpoolTarget = {
  id: "c",
  newestShare: 0,
  backfill: true,
  backlog: {},
  wants: ({ cameraId }) => cameraId === "gate",
};

/** Fails at the first difference between a spool and the model, naming the seed that shows it again. */
export async function runSpoolModel(sequences: number, seed: number): Promise<ModelFigures> {
  const figures = { sequences: 0, operations: 0, evicted: 0, reopened: 0, crashed: 0, crashedSettling: 0, compared: 0 };
  await using threads = new IndexThreads();
  for (let spools = 0; figures.sequences < sequences; spools += 1) {
    const folder = mkdtempSync(join(memoryFolder(), "framepost-model-"));
    const run = new ModelRun(folder, seededRandom(seed + spools), figures, threads);
    try {
      await run.begin();
      const last = Math.min(sequences, figures.sequences + sequencesPerSpool);
      for (; figures.sequences < last; figures.sequences += 1) await run.sequence();
      await run.end();
    } catch (error) {
      const at = `FRAMEPOST_MODEL_SEED=${seed + spools}, after ${figures.sequences % sequencesPerSpool} sequences`;
      throw new Error(`the spool differs from its model: ${at}: ${run.story()}`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return figures;
}

/** In memory, where a flush costs nothing. */
function memoryFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

interface Wanted {
  readonly draft: RecordDraft;
  readonly jpeg: Buffer;
  readonly owedTo: readonly string[];
}

class ModelRun {
  readonly #folder: string;
  readonly #random: Random;
  readonly #figures: ModelFigures;
  readonly #threads: IndexThreads;
  #model = new SpoolModel();
  #clock = new UpkeepClock();
  #spool: DiskSpool;
  #targets: readonly SpoolTarget[] = always;
  /** By target. */
  #leased: { readonly targetId: string; readonly delivery: Delivery }[] = [];
  readonly #steps: string[] = [];
  #images = 0;

  constructor(folder: string, random: Random, figures: ModelFigures, threads: IndexThreads) {
    this.#folder = folder;
    this.#random = random;
    this.#figures = figures;
    this.#threads = threads;
    this.#spool = this.#newSpool();
  }

  async begin(): Promise<void> {
    await this.#open(0);
  }

  async sequence(): Promise<void> {
    for (let left = this.#below(5) + 8; left > 0; left -= 1) {
      this.#figures.operations += 1;
      await this.#operation();
    }
    await this.#compare();
    const dice = this.#random();
    if (dice < 0.05) await this.#reopen();
    else if (dice < 0.1) await this.#crash();
  }

  /** Nothing but what is shown lies in the stopped spool's folder, and its own check finds nothing. */
  async end(): Promise<void> {
    assert.deepEqual(await findingsOf(this.#spool.queue), [], "findings");
    await this.#spool.stop();
    const { data, index } = layoutOf(this.#folder);
    const files = readdirSync(data, { recursive: true }).filter((name) => String(name).endsWith(".jpg"));
    assert.equal(files.length, this.#model.records(), "files");
    const database = new Database(index);
    const rows = database.prepare("SELECT name, value FROM kv WHERE name LIKE 'owed-bytes:%'").all();
    const owedBytes = rows.map((row) => row as { name: string; value: number });
    database.close();
    for (const { name, value } of owedBytes) assert.equal(value, this.#model.owedBytes(name.slice(11)), name);
  }

  /** The last steps before a difference. */
  story(): string {
    return this.#steps.slice(-25).join(" · ");
  }

  async #operation(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.32) await this.#append();
    else if (dice < 0.56) await this.#lease();
    else if (dice < 0.9) await this.#settle();
    else if (dice < 0.94) this.#advance();
    else if (dice < 0.97) await this.#upkeep();
    else await this.#command();
  }

  /** What an operator does to the queue. */
  async #command(): Promise<void> {
    const selection = this.#selection();
    const nowMs = this.#clock.monotonicMs();
    const { queue } = this.#spool;
    const dice = this.#random();
    const method = dice < 0.4 ? "prioritize" : dice < 0.8 ? "hasten" : "drop";
    this.#steps.push(`${method} ${JSON.stringify(selection)}`);
    if (method === "hasten") {
      await queue.hasten(selection, 0);
      this.#model.hasten(selection, nowMs);
      return;
    }
    const before = await queue.count(selection, 0);
    const { changed, busy, done } = await queue[method](selection, 0);
    assert(done, "so few deliveries are one step");
    assert.deepEqual([changed, busy], this.#model[method](selection), `what ${method} changes`);
    assert.deepEqual([before.changed, before.busy], [changed, busy], `what count says of ${method}`);
  }

  #selection(): DeliverySelection {
    const sequence = this.#pick([...this.#model.sequences(), 1]);
    return {
      ...this.#pick([{}, {}, { targetId: "a" }, { targetId: "b" }]),
      ...this.#pick<DeliverySelection>([{}, {}, { state: "pending" }, { state: "quarantined" }]),
      ...this.#pick([{ sequence }, { sequence }, { upToSequence: sequence }, { cameraId: "yard" }, {}]),
    };
  }

  async #append(): Promise<void> {
    const room = recordsMax - this.#model.records();
    const wanted = Array.from({ length: 1 + this.#below(3) }, () => {
      const cameraId = this.#random() < 0.7 ? "gate" : "yard";
      const priority = this.#pick([0, 0, 0, 1, 5, -1]);
      const draft = draftOf({ cameraId, reason: { rule: "r", priority } });
      const takers = this.#targets.filter(({ wants }) => wants(draft)).map(({ id }) => id);
      const chosen = takers.filter(() => this.#random() < 0.7);
      const jpeg = imageOf(130 + this.#below(600), (this.#images += 1));
      return { draft, owedTo: chosen.length > 0 ? chosen : takers, jpeg };
    });
    if (wanted.length <= room) await Promise.all(wanted.map(async (one) => await this.#appendOne(one)));
    else for (const one of wanted) await this.#appendWhenFull(one);
  }

  async #appendOne({ draft, jpeg, owedTo }: Wanted): Promise<void> {
    const record = await this.#spool.append(draft, jpeg, owedTo);
    const bytes = statSync(envelopePath(layoutOf(this.#folder), record.sequence)).size;
    this.#model.append(record, bytes, owedTo);
    this.#steps.push(`append ${record.sequence} to ${owedTo.join()}`);
  }

  /** Others go, by the rule, as long as there are any that may. */
  async #appendWhenFull(wanted: Wanted): Promise<void> {
    const { priority } = wanted.draft.reason;
    const mustFail = this.#model.records() >= recordsMax && !this.#model.mayEvict(priority);
    const before = this.#model.sequences();
    const failed = await this.#appendOne(wanted).catch((error: unknown) => error);
    assert.equal(failed instanceof AgentError && failed.code === "SPOOL_FULL", mustFail, `append: ${String(failed)}`);
    const layout = layoutOf(this.#folder);
    const victims = before.filter((sequence) => !existsSync(envelopePath(layout, sequence)));
    if (victims.length === 0) return;
    this.#steps.push(`evicted ${victims.join()} for priority ${priority}`);
    assert(before.length >= recordsMax && victims.length <= 2, `${victims.length} evicted of ${before.length}`);
    this.#figures.evicted += victims.length;
    this.#model.evict(victims, priority);
  }

  async #lease(): Promise<void> {
    const { id } = this.#pick(this.#targets);
    const limit = { recordsMax: 1 + this.#below(4), bytesMax: this.#random() < 0.2 ? 700 : Infinity };
    const nowMs = this.#clock.monotonicMs();
    if (this.#model.isDue(id, nowMs)) await this.#announced(id);
    const expected = this.#model.lease(id, limit, nowMs);
    const leased = await this.#spool.lease(id, limit);
    const sequences = leased.map(({ record }) => record.sequence);
    this.#steps.push(`lease ${limit.recordsMax} for ${id}: ${sequences.join()}`);
    assert.deepEqual(sequences, expected, `what ${id} leases`);
    for (const delivery of leased) {
      this.#leased.push({ targetId: id, delivery });
      if (this.#random() < 0.2) await this.#checkImage(delivery);
    }
  }

  /** What is due has been said to whoever waits for it. */
  async #announced(targetId: string): Promise<void> {
    let woken = false;
    const stop = new AbortController();
    const waiting = this.#spool.waitForDue(targetId, stop.signal).then(
      () => (woken = true),
      () => undefined,
    );
    await setImmediate();
    stop.abort();
    await waiting;
    assert(woken, `${targetId} was told that something is due`);
  }

  async #checkImage(delivery: Delivery): Promise<void> {
    const { record } = delivery;
    const jpeg = await delivery.image();
    assert.equal(jpeg.length, record.imageBytes);
    const digest = await crypto.subtle.digest("SHA-256", jpeg);
    assert.equal(Buffer.from(digest).toString("hex"), record.imageSha256, `image ${record.sequence}`);
  }

  async #settle(): Promise<void> {
    const at = this.#below(this.#leased.length);
    const [lease] = this.#leased.splice(at, 1);
    if (lease === undefined) return;
    const { targetId, delivery } = lease;
    const settlement = this.#settlement();
    await this.#spool.settle(targetId, delivery.record.id, settlement);
    this.#noteSettled(this.#model, targetId, delivery, settlement);
  }

  #noteSettled(model: SpoolModel, targetId: string, { record }: Delivery, settlement: Settlement): void {
    this.#steps.push(`${settlement.kind} ${record.sequence} by ${targetId}`);
    model.settle(targetId, record.sequence, settlement, this.#clock.monotonicMs());
  }

  #settlement(): Settlement {
    const dice = this.#random();
    if (dice < 0.55) return this.#random() < 0.5 ? { kind: "accepted" } : { kind: "accepted", remoteId: "r" };
    if (dice < 0.58) return { kind: "rejected", code: "HTTP_400", message: `no ${this.#below(9)}` };
    if (dice < 0.72) return { kind: "release" };
    const cursor = this.#pick([undefined, undefined, "", `job-${this.#below(99)}`]);
    return {
      kind: "retry",
      afterMs: this.#pick([0, 0, 1_000, 60_000, hourMs]),
      charged: this.#random() < 0.5,
      ...(cursor === undefined ? {} : { cursor }),
      code: "NET_TIMEOUT",
      message: `no answer ${this.#below(9)}`,
    };
  }

  #advance(): void {
    const ms = this.#pick([500, 1_000, 60_000, hourMs, 2 * hourMs]);
    this.#steps.push(`${ms} ms pass`);
    this.#clock.advance(ms);
    if (this.#random() < 0.2) this.#clock.jump(-10 * ms);
  }

  async #upkeep(): Promise<void> {
    this.#steps.push("upkeep");
    await this.#clock.upkeep();
    this.#model.upkeep(this.#clock.monotonicMs(), graceMs);
  }

  async #reopen(): Promise<void> {
    this.#figures.reopened += 1;
    this.#steps.push("reopen");
    await this.end();
    await this.#open(this.#clock.monotonicMs());
    await this.#compare();
  }

  /** As kill -9: nothing more is answered, nothing is closed. */
  async #crash(): Promise<void> {
    this.#figures.crashed += 1;
    const without = this.#model.copy();
    const lease = this.#leased[0];
    if (lease !== undefined && this.#random() < 0.7) {
      const settlement = this.#settlement();
      void this.#spool.settle(lease.targetId, lease.delivery.record.id, settlement);
      for (let turn = this.#below(3); turn > 0; turn -= 1) await setImmediate();
      this.#noteSettled(this.#model, lease.targetId, lease.delivery, settlement);
    }
    this.#steps.push("crash");
    await this.#threads.crash();
    const endedMs = this.#clock.monotonicMs();
    await this.#open(endedMs, without);
    await this.#compareAfterCrash(without);
  }

  async #open(endedMs: number, ...others: readonly SpoolModel[]): Promise<void> {
    this.#leased = [];
    const had = this.#targets.includes(guest);
    // It is only taken away while it shows in the figures: a crash may shorten its absence, and they say by how much.
    const mayGo = this.#model.view(0).targets.some(({ targetId }) => targetId === guest.id);
    const goes = this.#random() < 0.4;
    this.#targets = (had ? mayGo && goes : goes) ? always : [...always, guest];
    this.#steps.push(`open with ${this.#targets.map(({ id }) => id).join()}`);
    this.#clock = new UpkeepClock();
    this.#spool = this.#newSpool();
    await this.#spool.start(new AbortController().signal);
    for (const model of [this.#model, ...others]) model.open(this.#targets, endedMs);
  }

  #newSpool(): DiskSpool {
    return diskSpoolOf(this.#folder, {
      ...{ clock: this.#clock, random: this.#random, recordsMax, targets: this.#targets },
      ...{ removedTargetsAfterMs: graceMs, eviction: "oldest", quarantine: { share: 1, ageMaxMs: Infinity } },
    }).spool;
  }

  async #compare(): Promise<void> {
    this.#figures.compared += 1;
    const actual = await this.#view();
    const { listings, ...figures } = this.#model.view(this.#clock.monotonicMs());
    assert.deepEqual(actual.listings.map(inShort), listings.map(inShort));
    const different = actual.listings.find((listing, at) => !isDeepStrictEqual(listing, listings[at]));
    assert.equal(different, undefined, "a record is listed as it was appended");
    assert.deepEqual({ ...actual, listings: [] }, { ...figures, listings: [] });
  }

  /** What was under way may have been noted or not; nothing else may differ. */
  async #compareAfterCrash(without: SpoolModel): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const view = await this.#view();
    for (const { targetId, removedForMs } of view.targets) {
      for (const model of [this.#model, without]) model.absentFor(targetId, removedForMs ?? 0, nowMs);
    }
    if (isDeepStrictEqual(view, without.view(nowMs))) this.#model = without;
    else this.#figures.crashedSettling += 1;
    await this.#compare();
  }

  async #view(): Promise<SpoolView> {
    const { records, bytes, lastSequence, targets, lost, damaged, missing } = await this.#spool.stats();
    assert.deepEqual({ damaged, missing }, { damaged: 0, missing: 0 });
    const listings = await this.#spool.list({ afterSequence: 0, recordsMax: 1_000 });
    return { records, bytes, lastSequence, targets, lost, listings };
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #pick<T>(values: readonly T[]): T {
    const value = values[this.#below(values.length)];
    if (value === undefined && !values.includes(undefined as T)) throw new Error("nothing to pick from");
    return value as T;
  }
}

function inShort({ record, deliveries }: SpoolListing): string {
  const states = deliveries.map(({ targetId, state, attempts, cursor = "-", error = "-" }) =>
    [targetId, state, attempts, cursor, error].join(" "),
  );
  return `${record.sequence} ${record.id}: ${states.join("; ")}`;
}
