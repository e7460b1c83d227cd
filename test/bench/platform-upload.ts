import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import axios from "axios";
import type { Delivery, Target } from "../../src/core/ports.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { tempFolder } from "../lib/temp.ts";
import { benchNames } from "./platform-answers.ts";
import { platformServer } from "./platform-server.ts";
import { type PlainPicture, type PlatformWay, platformWays } from "./platform-ways.ts";
import { atLeast, type BenchTable, median, rounded } from "./table.ts";

const imageBytes = 200_000;
/** Many short rounds: what else the machine does then falls on both ways alike. */
const rounds = 40;
const warmUpRounds = 8;
const plainMin = 1.7;
const readyMin = 0.9;

interface Measured {
  readonly kind: string;
  readonly title: string;
  readonly recordsPerCall: number;
  readonly requests: number;
  readonly rates: readonly [ours: number, theirs: number];
  readonly cpuMs: readonly [ours: number, theirs: number];
  readonly against: "axios" | "ready";
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
    columns: ["platform", "records a call", "requests a call", "records/s", "CPU ms each", "against", "records/s", "CPU ms each"],
    rows: measured.map(({ title, recordsPerCall, requests, rates, cpuMs, against }) => [
      ...[title, recordsPerCall, requests, Math.round(rates[0]), rounded(cpuMs[0], 2)],
      ...[theirs[against], Math.round(rates[1]), rounded(cpuMs[1], 2)],
    ]),
    verdicts: measured.map(({ title, rates: [ours, reference], against }) =>
      atLeast(
        `${title} against ${theirs[against]}`,
        rounded(ours / reference, 2),
        against === "axios" ? plainMin : readyMin,
      ),
    ),
  };
}

async function measure(kind: string, way: PlatformWay): Promise<Measured> {
  await using folder = await tempFolder();
  const recorded = await record(kind, way, folder.path);
  const script = fileURLToPath(new URL("platform-server.js", import.meta.url));
  const server = spawn(process.execPath, [script, kind], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(server.stdout, "data")) as [Buffer];
  const url = `http://127.0.0.1:${line.toString().trim()}`;
  const target = way.target(url, folder.path);
  const deliveries = deliveriesOf(target);
  const ours = (): Promise<void> => deliver(target, deliveries);
  const theirs = way.plain === undefined ? () => replay(url, recorded) : () => plainly(way, url, deliveries);
  const [ourRounds, theirRounds]: [Round[], Round[]] = [[], []];
  try {
    await target.start();
    for (let round = -warmUpRounds; round < rounds; round += 1) {
      const one = [await timed(ours, deliveries.length), await timed(theirs, deliveries.length)] as const;
      if (round < 0) continue;
      ourRounds.push(one[0]);
      theirRounds.push(one[1]);
    }
  } finally {
    await target.close();
    server.stdin.end();
    await once(server, "exit");
  }
  return {
    ...{ kind, title: way.title, recordsPerCall: deliveries.length, requests: recorded.length },
    rates: [median(ourRounds.map(({ rate }) => rate)), median(theirRounds.map(({ rate }) => rate))],
    cpuMs: [median(ourRounds.map(({ cpuMs }) => cpuMs)), median(theirRounds.map(({ cpuMs }) => cpuMs))],
    against: way.plain === undefined ? "ready" : "axios",
  };
}

interface Round {
  readonly rate: number;
  readonly cpuMs: number;
}

/** Long enough to be measured: at least as many records as one call of the largest batch takes. */
async function timed(call: () => Promise<void>, recordsPerCall: number): Promise<Round> {
  const calls = Math.ceil(benchNames.length / recordsPerCall);
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  for (let at = 0; at < calls; at += 1) await call();
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate: (calls * recordsPerCall) / seconds, cpuMs: (user + system) / 1_000 / (calls * recordsPerCall) };
}

/** As many as the target takes in one call, but no more than there are names. */
function deliveriesOf(target: Target): readonly Delivery[] {
  const { recordsPerCallMax, bytesPerCallMax } = target.capacity();
  const count = Math.min(recordsPerCallMax, Math.max(1, Math.floor(bytesPerCallMax / imageBytes)), benchNames.length);
  return Array.from({ length: count }, (_, at) => sampleDelivery(at + 1, sampleJpeg(at + 1, imageBytes)));
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

async function pictureOf({ record, image }: Delivery): Promise<PlainPicture> {
  const { name, detections, imageWidth: width, imageHeight: height } = record;
  return { name, jpeg: await image(), detections, width, height };
}

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What one call sends once it knows everything that it asks for only once. */
async function record(kind: string, way: PlatformWay, folder: string): Promise<readonly Recorded[]> {
  const recorded: Recorded[] = [];
  const server = platformServer(kind, ({ method = "", url = "", headers }, body) => {
    const own = Object.entries(headers).filter(([name]) => !/^(host|connection|content-length)$/.test(name));
    recorded.push({ method, path: url, headers: Object.fromEntries(own) as Record<string, string>, body });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const target = way.target(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, folder);
  try {
    await target.start();
    const deliveries = deliveriesOf(target);
    await deliver(target, deliveries);
    recorded.length = 0;
    await deliver(target, deliveries);
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
