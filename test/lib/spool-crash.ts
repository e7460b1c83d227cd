import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { Spool, SpoolListing } from "../../src/core/ports.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import { openSpool } from "./disk-spool.ts";
import { seededRandom } from "./seams.ts";
import { imageNumber, monotonicMs, pending, type Seen, SpoolOracle, targets } from "./spool-oracle.ts";
import { findingsOf } from "./verify.ts";

const writerProgram = new URL("./spool-writer.js", import.meta.url).pathname;

export interface WriterOptions {
  readonly folder: string;
  readonly seed: number;
  readonly pauseMs?: number;
  /** Beyond them the spool evicts; without it, it never does. */
  readonly recordsMax?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** `starting`: the program is loaded, the spool recovers. `ready`: it appends and settles. */
export type WriterStage = "starting" | "ready";

/** A process that works on a spool, until somebody ends it. */
export class SpoolWriter {
  readonly #child: ChildProcess;
  readonly #reached = new Map<WriterStage, () => void>();
  readonly #stages: Readonly<Record<WriterStage, Promise<void>>>;
  readonly #heardAll: Promise<unknown>;
  readonly #endWithUs = (): void => void this.#child.kill("SIGKILL");

  constructor(oracle: SpoolOracle, { folder, seed, pauseMs = 0, recordsMax = 0, environment = {} }: WriterOptions) {
    const words = [folder, seed, oracle.nextNumber, pauseMs, recordsMax].map(String);
    // Numbers of images whose append was not answered are used again: with the same content, so that is no matter.
    const child = spawn(process.execPath, [writerProgram, ...words], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    process.prependOnceListener("exit", this.#endWithUs);
    const lines = createInterface({ input: child.stdout });
    this.#heardAll = Promise.all([once(child, "close"), once(lines, "close")]);
    const stage = (name: WriterStage) => new Promise<void>((resolve) => this.#reached.set(name, resolve));
    this.#stages = { starting: stage("starting"), ready: stage("ready") };
    lines.on("line", (line) => {
      if (line === "starting" || line === "ready") this.#reached.get(line)?.();
      else oracle.hear(line);
    });
  }

  /** Fails when the writer ends by itself before. */
  async reached(stage: WriterStage): Promise<void> {
    const ended = this.#heardAll.then(() => {
      throw new Error(`the writer ended by itself with ${String(this.#child.exitCode)}`);
    });
    await Promise.race([this.#stages[stage], ended]);
  }

  /** Stops all its threads where they are. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  /** kill -9; resolves when all that it said has been heard. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null) throw new Error(`the writer ended by itself with ${this.#child.exitCode}`);
    this.#child.kill("SIGKILL");
    await this.#heardAll;
    process.removeListener("exit", this.#endWithUs);
  }
}

/** Opens the spool and compares all that it shows with what the oracle heard. */
export async function checkSpool(folder: string, oracle: SpoolOracle): Promise<void> {
  await using opened = await openSpool(folder);
  const { spool } = opened;
  const listings = await listAll(spool);
  const stats = await spool.stats();
  oracle.rowsWithoutEnvelope(stats.missing);
  if (stats.records !== listings.length) {
    oracle.fault("corrupt", `${stats.records} records by the spool's count, ${listings.length} are listed`);
  }
  const seen = new Map(listings.map((listing) => [listing.record.id, listingSeen(listing)]));
  const images = new Map<string, () => Promise<Buffer>>();
  for (const targetId of targets) {
    for (const delivery of await leaseAll(spool, targetId)) {
      const { id } = delivery.record;
      seen.get(id)?.states.set(targetId, pending(delivery.attempts, delivery.cursor));
      images.set(id, async () => await delivery.image());
    }
  }
  oracle.compare([...seen.values()]);
  oracle.countedAsLost(stats.lost.reduce((sum, { deliveries }) => sum + deliveries, 0));
  for (const { record } of listings) {
    const image = images.get(record.id) ?? (async () => await quarantinedImage(folder, record));
    const whole = await image().catch(() => undefined);
    const number = Number(record.cameraId.slice(1));
    oracle.imagesChecked += 1;
    if (whole?.equals(imageNumber(number)) !== true) oracle.fault("corrupt", `image of ${record.name}`);
  }
  for (const { code, message } of await findingsOf(spool.queue)) oracle.fault("corrupt", `${code}: ${message}`);
}

async function listAll(spool: Spool): Promise<readonly SpoolListing[]> {
  const listings: SpoolListing[] = [];
  for (;;) {
    const page = await spool.list({ afterSequence: listings.at(-1)?.record.sequence ?? 0, recordsMax: 500 });
    if (page.length === 0) return listings;
    listings.push(...page);
  }
}

/** After a start every delivery is due. */
async function leaseAll(spool: Spool, targetId: string): ReturnType<Spool["lease"]> {
  const leased = [];
  for (;;) {
    const some = await spool.lease(targetId, { recordsMax: 500, bytesMax: Infinity });
    if (some.length === 0) return leased;
    leased.push(...some);
  }
}

/** A pending delivery that cannot be leased keeps a state that no settlement leads to. */
function listingSeen({ record: { id, sequence }, deliveries }: SpoolListing): Seen & { states: Map<string, string> } {
  const states = deliveries.map(({ targetId, state }) => [targetId, state] as const);
  return { id, sequence, states: new Map(states) };
}

/** No lease leads to it, so it is read as it lies there: the envelope begins with the image. */
async function quarantinedImage(folder: string, { sequence, imageBytes }: StoredRecord): Promise<Buffer> {
  return (await readFile(envelopePath(layoutOf(folder), sequence))).subarray(0, imageBytes);
}

export interface KillPlan {
  readonly rounds: number;
  readonly seed: number;
  /** A writer is killed at the latest so long after it was ready. */
  readonly workMsMax: number;
  /** Beyond them the spool evicts; without it, it never does. */
  readonly recordsMax?: number;
  /** Where the machine is so busy that writers come to nothing, there are more rounds, up to four times as many. */
  readonly isEnough?: (oracle: SpoolOracle) => boolean;
}

/**
 * Lets writers work and kills them at random moments. Three crashes in ten are not looked at: the next writer finds what
 * they left, and is killed while it recovers.
 */
export async function killRounds(
  folder: string,
  { rounds, seed, workMsMax, recordsMax = 0, isEnough = () => true }: KillPlan,
): Promise<SpoolOracle> {
  const oracle = new SpoolOracle({ evicts: recordsMax > 0 });
  const random = seededRandom(seed);
  let checked = true;
  for (let round = 1; round <= rounds || (round <= 4 * rounds && !isEnough(oracle)); round += 1) {
    const writer = new SpoolWriter(oracle, { folder, seed: seed + round, recordsMax });
    await writer.reached(checked ? "ready" : "starting");
    await delay(random() * (checked ? workMsMax : 100));
    await writer.kill();
    oracle.crash("kill", monotonicMs());
    checked = round >= rounds || random() > 0.3;
    if (checked) await checkSpool(folder, oracle);
  }
  return oracle;
}
