import { join } from "node:path";
import { Tensor, type InferenceSession } from "onnxruntime-node";
import sharp from "sharp";
import { AgentError } from "../../src/core/errors.ts";
import { motionDefaults, visionLimits } from "../../src/core/vision-limits.ts";
import type { VisionTimings, WatchResult } from "../../src/core/vision-port.ts";
import type { WatchAnswer } from "../../src/vision/protocol.ts";
import { resolveModel } from "../../src/vision/model.ts";
import { placePicture } from "../../src/vision/process/letterbox.ts";
import { VisionService } from "../../src/vision/process/service.ts";
import { photosAt } from "../lib/photos.ts";
import { sharedFolder } from "../lib/shared.ts";
import { never, visionProcess } from "../lib/vision.ts";
import { manyCandidates } from "./many-candidates.ts";
import {
  naiveDetect,
  plainSession,
  readFastestdet,
  readYolo8,
  type NaiveModel,
  type NaiveTimes,
} from "./naive-pipeline.ts";
import { atMost, median, percentile, rounded, type BenchTable, type Verdict } from "./table.ts";

/**
 * How close the vision process comes to the cost of the picture library and the runtime alone. In every round the same
 * JPEG goes through the vision process's own code, through the two libraries by themselves, through a pipeline as samples
 * have it, and through the real process; one thread. What is judged is the median over rounds of ratios within a round.
 *
 * What takes long is counted in processor time, so that other work on the machine does not count: with one thread it is
 * what a clock shows on a quiet one. Own stages are shorter than a turn of the scheduler, and timed by the clock.
 */

const width = 1_280;
const height = 720;
/** Of one photo, so that the gate has a still scene with noise to look at. */
const QUALITIES = [84, 86, 88];
const WARM_UP = 18;

interface Subject {
  readonly name: string;
  readonly rounds: number;
  readonly shareMax: number;
  readonly wholeMax: number;
  readonly naive: Omit<NaiveModel, "file">;
}

const yolo = (side: number, predictions: number) =>
  ({ ...square(side), fit: "contain", isBgr: false, classes: 80, predictions, read: readYolo8(predictions) }) as const;
const large = { shareMax: 0.04, wholeMax: 1.05 };
const small = { shareMax: 0.2, wholeMax: 1.12, rounds: 240 };

const subjects: readonly Subject[] = [
  { name: "yolov8n-320-f32", ...large, rounds: 100, naive: yolo(320, 2_100) },
  { name: "yolov8n-640-f32", ...large, rounds: 50, naive: yolo(640, 8_400) },
  {
    name: "fastestdet",
    ...small,
    naive: { ...square(352), fit: "fill", isBgr: true, classes: 80, predictions: 484, read: readFastestdet(22) },
  },
];

export async function visionShare(): Promise<BenchTable> {
  const shared = sharedFolder();
  const rows: (string | number)[][] = [];
  const verdicts: Verdict[] = [];
  const leftOut: string[] = [];
  const frames = await sceneFrames();
  for (const subject of subjects) {
    if (shared === undefined) {
      leftOut.push(`${subject.name}: needs the shared folder of models and photos`);
      continue;
    }
    const figures = await measured(subject, shared, frames);
    if (figures instanceof AgentError) {
      leftOut.push(`${subject.name}: ${figures.code}`);
      continue;
    }
    rows.push(rowOf(subject, figures));
    verdicts.push(...verdictsOf(subject, figures));
  }
  const { decodeMs, naiveMs } = manyCandidates();
  verdicts.push(atMost("yolov8n-640, decode and NMS of 2,000 candidates", rounded(median(decodeMs)), 3, "ms"));
  rows.push([
    "2,000 candidates, decode and NMS",
    "",
    "",
    "",
    rounded(median(decodeMs)),
    rounded(median(naiveMs)),
    "",
    "",
  ]);
  return {
    title: `Own share of the vision process, ${width} x ${height}, 1 thread (medians, ms; the first three and the ratios in processor time)`,
    columns: [
      "model",
      "decode + run alone",
      "of it, run",
      "vision process",
      "of it, own: fill + decode + NMS + gate",
      "own of the naive pipeline",
      "own in the process itself, image health on every frame",
      "round trip from the main process, with that",
    ],
    rows,
    verdicts,
    leftOut,
  };
}

interface Figures {
  readonly runMs: number[];
  readonly aloneMs: number[];
  readonly wholeMs: number[];
  readonly ownMs: number[];
  readonly naiveOwnMs: number[];
  readonly naiveMs: number[];
  readonly healthOwnMs: number[];
  readonly roundMs: number[];
}

interface Frame {
  readonly jpeg: Buffer;
  readonly cameraId: string;
}

async function measured(subject: Subject, shared: string, frames: readonly Frame[]): Promise<Figures | AgentError> {
  const file = join(shared, "models", `${subject.name}.onnx`);
  const model = await resolveModel(file, { modelsFolders: [] });
  const service = new VisionService();
  const { detectionsMax, candidatesMax } = visionLimits;
  try {
    const settings = { threads: 1, detectionsMax, candidatesMax };
    await service.perform({ kind: "load", model, settings }, Buffer.alloc(0));
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  await using vision = visionProcess({ model, threads: 1 });
  await vision.start(never);
  const session = await plainSession(file);
  const alone = librariesAlone(session, subject.naive);
  const figures = noFigures();
  for (let round = -WARM_UP; round < subject.rounds; round += 1) {
    const { jpeg, cameraId } = frames[(round + WARM_UP) % frames.length] ?? { jpeg: Buffer.alloc(0), cameraId: "" };
    const options = { exact: false, cameraId, monotonicMs: round, gate: motionDefaults, force: true, measure: false };
    const steps: (() => Promise<void>)[] = [
      async () => addOwn(figures, await ownTimes(service, jpeg, options)),
      async () => addAlone(figures, await alone(jpeg)),
      async () => addNaive(figures, await naiveTimes(jpeg, session, { file, ...subject.naive })),
      async () => addRound(figures, await vision.watch(jpeg, { ...options, measure: true }, never)),
    ];
    // As the vision process does between its answers; and so nobody pays for another's garbage.
    globalThis.gc?.({ type: "minor" });
    // Which of them goes first changes every round, so that none always finds the caches warm.
    for (let step = 0; step < steps.length; step += 1) await steps[(step + round + WARM_UP) % steps.length]?.();
  }
  for (const times of Object.values(figures) as number[][]) times.splice(0, WARM_UP);
  await session.release();
  return figures;
}

interface OwnTimes {
  readonly wholeMs: number;
  readonly ownMs: number;
}

async function ownTimes(
  service: VisionService,
  jpeg: Buffer,
  options: Parameters<Awaited<ReturnType<typeof visionProcess>>["watch"]>[1],
): Promise<OwnTimes> {
  const startedMs = processorMs();
  const { result } = await service.perform({ kind: "watch", options }, jpeg);
  const wholeMs = processorMs() - startedMs;
  if (!isDetected(result)) throw new Error("a forced picture was not detected");
  return { wholeMs, ownMs: ownOf(result.timings) };
}

function ownOf({ fillMs, postMs, measureMs = 0 }: Pick<VisionTimings, "fillMs" | "postMs" | "measureMs">): number {
  return fillMs + postMs + measureMs;
}

async function naiveTimes(jpeg: Buffer, session: InferenceSession, model: NaiveModel): Promise<NaiveTimes> {
  const startedMs = processorMs();
  const { ownMs } = await naiveDetect(jpeg, session, model);
  return { ownMs, wholeMs: processorMs() - startedMs };
}

/** That this process has used, on all its threads. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

interface AloneTimes {
  readonly aloneMs: number;
  readonly runMs: number;
}

/** The picture library and the runtime by themselves: what no pipeline can do without. */
function librariesAlone(session: InferenceSession, model: Subject["naive"]): (jpeg: Buffer) => Promise<AloneTimes> {
  const at = placePicture(width, height, model.width, model.height, model.fit === "fill" ? "stretch" : "letterbox");
  const data = new Float32Array(3 * model.width * model.height).fill(0.5);
  const dims = [1, 3, model.height, model.width];
  const [input = ""] = session.inputNames;
  return async (jpeg) => {
    const startedMs = processorMs();
    await sharp(jpeg).resize(at.width, at.height, { fit: "fill", kernel: "cubic" }).removeAlpha().raw().toBuffer();
    const decodedMs = processorMs();
    await session.run({ [input]: new Tensor("float32", data, dims) });
    const endedMs = processorMs();
    return { aloneMs: endedMs - startedMs, runMs: endedMs - decodedMs };
  };
}

async function sceneFrames(): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  for (const quality of QUALITIES) {
    const photos = await photosAt(width, height, quality);
    frames.push(...photos.map((jpeg, scene) => ({ jpeg, cameraId: `scene ${scene}` })));
  }
  return frames;
}

function rowOf({ name }: Subject, figures: Figures): (string | number)[] {
  const { aloneMs, runMs, wholeMs, ownMs, naiveOwnMs, healthOwnMs, roundMs } = figures;
  return [
    name,
    ...[aloneMs, runMs, wholeMs, ownMs, naiveOwnMs, healthOwnMs, roundMs].map((times) => rounded(median(times))),
  ];
}

function verdictsOf({ name, shareMax, wholeMax }: Subject, figures: Figures): readonly Verdict[] {
  const ratio = (a: readonly number[], b: readonly number[]) =>
    rounded(
      percentile(
        a.map((value, round) => value / (b[round] ?? 1)),
        0.5,
      ),
    );
  const { aloneMs, runMs, wholeMs, ownMs, naiveOwnMs, naiveMs } = figures;
  return [
    atMost(`${name}, own share / run`, ratio(ownMs, runMs), shareMax),
    atMost(`${name}, vision process / decode and run alone`, ratio(wholeMs, aloneMs), wholeMax),
    above(`${name}, naive pipeline: own share / run`, ratio(naiveOwnMs, runMs), shareMax),
    above(`${name}, naive pipeline / decode and run alone`, ratio(naiveMs, aloneMs), wholeMax),
  ];
}

/** The bench has to be able to tell. */
function above(name: string, value: number, bound: number): Verdict {
  return { name, value, bound: `> ${bound}`, holds: value > bound };
}

function noFigures(): Figures {
  return { runMs: [], aloneMs: [], wholeMs: [], ownMs: [], naiveOwnMs: [], naiveMs: [], healthOwnMs: [], roundMs: [] };
}

function addOwn(figures: Figures, { wholeMs, ownMs }: OwnTimes): void {
  figures.wholeMs.push(wholeMs);
  figures.ownMs.push(ownMs);
}

function addAlone(figures: Figures, { aloneMs, runMs }: AloneTimes): void {
  figures.aloneMs.push(aloneMs);
  figures.runMs.push(runMs);
}

function addRound(figures: Figures, answer: WatchResult): void {
  if (answer.kind !== "detected") throw new Error("a forced picture was not detected");
  figures.healthOwnMs.push(ownOf(answer.timings));
  figures.roundMs.push(answer.timings.roundMs);
}

function addNaive(figures: Figures, { wholeMs, ownMs }: NaiveTimes): void {
  figures.naiveMs.push(wholeMs);
  figures.naiveOwnMs.push(ownMs);
}

function isDetected(result: unknown): result is WatchAnswer & { readonly kind: "detected" } {
  return typeof result === "object" && result !== null && "kind" in result && result.kind === "detected";
}

function square(side: number) {
  return { width: side, height: side };
}
