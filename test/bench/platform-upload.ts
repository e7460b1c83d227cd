import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axios from "axios";
import type { Delivery, Target, TargetMemory } from "../../src/core/ports.ts";
import { TargetMemoryFile } from "../../src/state/target-memory.ts";
import { sampleJpeg, sampleRecord } from "../lib/records.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";
import { platformServer } from "./platform-server.ts";
import { type PlainPicture, type PlatformWay, platformWays } from "./platform-ways.ts";
import { atLeast, type BenchTable, median, rounded } from "./table.ts";

const imageBytes = 200_000;
/** Rounds long enough that a way finds its own pictures in the processor's caches, and not what the other left there. */
const recordsPerRound = 192;
const rounds = 20;
/** With the state on disk: shown, and no bound. */
const diskRounds = 10;
const warmUpRounds = 4;
/** Beyond it a call is only longer. */
const recordsPerCallMost = 32;
/** For the note: a line that a gateway may well have. */
const lineMbit = 10;
const plainMin = 1.7;
const readyMin = 0.9;

interface Measured {
  readonly kind: string;
  readonly title: string;
  readonly recordsPerCall: number;
  readonly requests: number;
  readonly writesPerCall: number;
  readonly rates: readonly [ours: number, theirs: number];
  readonly cpuMs: readonly [ours: number, theirs: number];
  /** The middle of the rounds' own ratios: what the machine does in one round falls on both alike. */
  readonly ratio: number;
  readonly against: "axios" | "ready";
  /** The same with what the target remembers on this machine's disk; undefined where it remembers nothing. */
  readonly onDisk: OnDisk | undefined;
}

interface OnDisk {
  readonly rate: number;
  readonly ratio: number;
  readonly writeMs: number;
}

/**
 * Records through each platform's target to a server in another process that gives fixed answers, against the same
 * pictures sent as one would write it first with axios (base64 platforms), or against the same requests from Buffers that
 * lie ready (the others).
 */
export async function platformUpload(): Promise<BenchTable> {
  const only = process.env["FRAMEPOST_BENCH_PLATFORM"];
  const measured: Measured[] = [];
  for (const [kind, way] of Object.entries(platformWays)) {
    if (only === undefined || only === kind) measured.push(await measure(kind, way));
  }
  const theirs = { axios: "axios, object", ready: "axios, ready Buffers" };
  return {
    title: `Upload of ${imageBytes / 1_000} KB JPEGs to each platform, record to outcome, server in another process`,
    columns: [
      "platform",
      "records a call",
      "requests a call",
      "writes to its state a call",
      "records/s",
      "CPU ms each",
      "against",
      "records/s",
      "CPU ms each",
      "state on disk: records/s",
      "ratio",
      "ms a write",
      "ms a record",
    ],
    rows: measured.map(({ title, recordsPerCall, requests, writesPerCall, rates, cpuMs, against, onDisk }) => [
      ...[title, recordsPerCall, requests, rounded(writesPerCall, 1), Math.round(rates[0]), rounded(cpuMs[0], 2)],
      ...[theirs[against], Math.round(rates[1]), rounded(cpuMs[1], 2)],
      ...onDiskCells(onDisk, writesPerCall / recordsPerCall),
    ]),
    notes: [
      `The bounds hold for targets that keep what they remember in memory. The last four columns are the same calls with it
on this machine's disk, as the agent has it: each write is flushed, file and folder, and is the price of sending nothing twice
after a power cut. The ratio there is against the same requests with nothing written, to a server that throws everything away:
it says what this disk costs, not what is lost on a line. ${lineNote(measured)}`,
    ],
    verdicts: measured.map(({ title, ratio, against }) =>
      atLeast(`${title} against ${theirs[against]}`, rounded(ratio, 2), against === "axios" ? plainMin : readyMin),
    ),
  };
}

function onDiskCells(onDisk: OnDisk | undefined, writesPerRecord: number): readonly (string | number)[] {
  if (onDisk === undefined) return ["", "", "", ""];
  const { rate, ratio, writeMs } = onDisk;
  return [Math.round(rate), rounded(ratio, 2), rounded(writeMs, 1), rounded(writeMs * writesPerRecord, 2)];
}

/** What the writes come to beside the time on a line that gateways have. */
function lineNote(measured: readonly Measured[]): string {
  const sendMs = (imageBytes * 8) / (lineMbit * 1_000);
  const shares = measured.flatMap(({ title, onDisk, writesPerCall, recordsPerCall }) => {
    if (onDisk === undefined) return [];
    const recordMs = (onDisk.writeMs * writesPerCall) / recordsPerCall;
    return [`${title} ${rounded(recordMs, 2)} ms (${rounded((100 * recordMs) / sendMs, 1)} %)`];
  });
  return `On a line of ${lineMbit} Mbit/s a picture of ${imageBytes / 1_000} KB alone takes ${sendMs} ms; the writes add to each
record: ${shares.join(", ")}.`;
}

async function measure(kind: string, way: PlatformWay): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "framepost-bench-"));
  try {
    return await measureWith(kind, way, new TimedMemory(new TargetMemoryFile(folder, kind)));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measureWith(kind: string, way: PlatformWay, disk: TimedMemory): Promise<Measured> {
  const recorded = await record(kind, way);
  const script = fileURLToPath(new URL("platform-server.js", import.meta.url));
  const server = spawn(process.execPath, [script, kind], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(server.stdout, "data")) as [Buffer];
  const url = `http://127.0.0.1:${line.toString().trim()}`;
  const memory = new CountedMemory();
  const target = way.target(url, memory);
  const onDisk = way.target(url, disk);
  const batches = new Batches(target);
  const ours = (): Promise<void> => deliver(target, batches.next());
  const theirs = way.plain === undefined ? () => replay(url, recorded) : () => plainly(way, url, batches.next());
  const perRound = Math.ceil(recordsPerRound / batches.size);
  try {
    await target.start();
    await onDisk.start();
    const measured = await alternated(rounds, ours, theirs, batches.size);
    const { writes } = memory;
    // By itself, so that a second target like the first does not push that one's buffers out of the caches.
    const ofDisk =
      writes === 0
        ? undefined
        : await alternated(diskRounds, () => deliver(onDisk, batches.next()), theirs, batches.size);
    return {
      ...{ kind, title: way.title, recordsPerCall: batches.size, requests: recorded.length, ...measured },
      writesPerCall: writes / ((warmUpRounds + rounds) * perRound),
      against: way.plain === undefined ? "ready" : "axios",
      onDisk: ofDisk && { rate: ofDisk.rates[0], ratio: ofDisk.ratio, writeMs: disk.meanMs },
    };
  } finally {
    await target.close();
    await onDisk.close();
    server.stdin.end();
    await once(server, "exit");
  }
}

/** Both ways in turn, after rounds that do not count. */
async function alternated(
  count: number,
  ours: () => Promise<void>,
  theirs: () => Promise<void>,
  recordsPerCall: number,
): Promise<Pick<Measured, "rates" | "cpuMs" | "ratio">> {
  const [ourRounds, theirRounds]: [Round[], Round[]] = [[], []];
  for (let round = -warmUpRounds; round < count; round += 1) {
    const one = [await timed(ours, recordsPerCall), await timed(theirs, recordsPerCall)] as const;
    if (round < 0) continue;
    ourRounds.push(one[0]);
    theirRounds.push(one[1]);
  }
  return {
    rates: [median(ourRounds.map(({ rate }) => rate)), median(theirRounds.map(({ rate }) => rate))],
    cpuMs: [median(ourRounds.map(({ cpuMs }) => cpuMs)), median(theirRounds.map(({ cpuMs }) => cpuMs))],
    ratio: median(ourRounds.map(({ rate }, at) => rate / (theirRounds[at]?.rate ?? NaN))),
  };
}

interface Round {
  readonly rate: number;
  readonly cpuMs: number;
}

async function timed(call: () => Promise<void>, recordsPerCall: number): Promise<Round> {
  const calls = Math.ceil(recordsPerRound / recordsPerCall);
  // What the other way has left behind is not this one's to collect.
  globalThis.gc?.();
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  for (let at = 0; at < calls; at += 1) await call();
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate: (calls * recordsPerCall) / seconds, cpuMs: (user + system) / 1_000 / (calls * recordsPerCall) };
}

/**
 * Without a disk, for the bounds: what a flush costs is the disk's affair and differs a hundredfold from one to the next.
 */
class CountedMemory extends MemoryForTarget {
  writes = 0;

  override write(value: object): Promise<void> {
    this.writes += 1;
    return super.write(value);
  }
}

/** As the agent has it, and how long each write takes. */
class TimedMemory implements TargetMemory {
  readonly #file: TargetMemoryFile;
  #writes = 0;
  #tookMs = 0;

  constructor(file: TargetMemoryFile) {
    this.#file = file;
  }

  /** Not the median: the slow ones are what a disk costs. */
  get meanMs(): number {
    return this.#tookMs / this.#writes;
  }

  read(): Promise<unknown> {
    return this.#file.read();
  }

  async write(value: object): Promise<void> {
    const startedMs = performance.now();
    await this.#file.write(value);
    this.#tookMs += performance.now() - startedMs;
    this.#writes += 1;
  }
}

/** As many records as the target takes in one call, each time new ones: it may remember those that it has sent. */
class Batches {
  readonly size: number;
  readonly #jpegs: readonly Buffer[];
  #sequence = 0;

  constructor(target: Target) {
    const { recordsPerCallMax, bytesPerCallMax } = target.capacity();
    this.size = Math.min(recordsPerCallMax, Math.max(1, Math.floor(bytesPerCallMax / imageBytes)), recordsPerCallMost);
    this.#jpegs = Array.from({ length: this.size }, (_, at) => sampleJpeg(at + 1, imageBytes));
  }

  next(): readonly Delivery[] {
    return this.#jpegs.map((jpeg) => {
      this.#sequence += 1;
      const record = { ...this.#model, id: `01K${String(this.#sequence).padStart(23, "0")}` };
      const name = `gw-07-aaaa-${this.#sequence}.jpg`;
      return { record: { ...record, name, sequence: this.#sequence }, attempts: 0, image: async () => jpeg };
    });
  }

  /** Its hash is the spool's work, not the upload's. */
  readonly #model = sampleRecord(1, sampleJpeg(1, imageBytes));
}

async function deliver(target: Target, deliveries: readonly Delivery[]): Promise<void> {
  const outcomes = await target.deliver(deliveries, never);
  for (const { record } of deliveries) {
    const outcome = outcomes.get(record.id);
    if (outcome?.kind !== "accepted") {
      throw new Error(`${target.kind}: ${record.name}: ${outcome?.error.message ?? "no outcome"}`);
    }
  }
}

const never = new AbortController().signal;

/** Its plain defaults. */
async function plainly(way: PlatformWay, url: string, deliveries: readonly Delivery[]): Promise<void> {
  const pictures = await Promise.all(deliveries.map(pictureOf));
  const request = way.plain?.(url, pictures);
  if (request === undefined) return;
  await axios.post(request.url, request.body, { headers: request.headers });
}

async function pictureOf(delivery: Delivery): Promise<PlainPicture> {
  const { name, detections, imageWidth: width, imageHeight: height } = delivery.record;
  return { name, jpeg: await delivery.image(), detections, width, height };
}

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What one call sends once it knows everything that it asks for only once. */
async function record(kind: string, way: PlatformWay): Promise<readonly Recorded[]> {
  const recorded: Recorded[] = [];
  const server = platformServer(kind, ({ method = "", url = "", headers }, body) => {
    const own = Object.entries(headers).filter(([name]) => !/^(host|connection|content-length)$/.test(name));
    recorded.push({ method, path: url, headers: Object.fromEntries(own) as Record<string, string>, body });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const target = way.target(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, new CountedMemory());
  try {
    await target.start();
    const batches = new Batches(target);
    await deliver(target, batches.next());
    recorded.length = 0;
    await deliver(target, batches.next());
    return [...recorded];
  } finally {
    await target.close();
    server.close();
    server.closeAllConnections();
  }
}

async function replay(url: string, recorded: readonly Recorded[]): Promise<void> {
  for (const { method, path, headers, body } of recorded) {
    await axios.request({ method, url: url + path, headers, ...(body.length === 0 ? {} : { data: body }) });
  }
}
