import { join } from "node:path";
import { street } from "../../src/capture/simulated/street.ts";
import { motionDefaults, visionLimits } from "../../src/core/vision-limits.ts";
import type { MotionGate, Vision } from "../../src/core/vision-port.ts";
import { resolveModel, type ModelSpec } from "../../src/vision/model.ts";
import { openImaging } from "../../src/vision/process/imaging.ts";
import { placePicture } from "../../src/vision/process/letterbox.ts";
import { VisionService } from "../../src/vision/process/service.ts";
import { sharedFolder } from "../lib/shared.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";
import { atMost, median, rounded, type BenchTable, type Verdict } from "./table.ts";

/**
 * What a picture costs on which nothing moves, against its decode alone, inside the vision process; and how many more
 * pictures a second go through the real process where 9 of 10 are still.
 */

const width = 1_280;
const height = 720;
const STILL_ROUNDS = 300;
const WARM_UP = 40;
const STREET_FRAMES = 200;
const STREET_ROUNDS = 4;
const FRAME_MS = 200;
const gate: MotionGate = motionDefaults;

export async function motionGate(): Promise<BenchTable> {
  const shared = sharedFolder();
  const model = shared === undefined ? await tinyModel() : await yolo(shared);
  await using vision = visionProcess({ model, threads: 1 });
  await vision.start(never);
  const still = await stillScene(vision, model);
  const title = `Motion gate, ${width} x ${height}, ${model.name}`;
  const columns = ["what", "median"];
  const verdicts: Verdict[] = [atMost("still scene with the gate / decode alone", rounded(still.ratio), 1.15)];
  if (shared === undefined) {
    const leftOut = ["frames a second with and without the gate: needs the shared folder's yolov8n-320"];
    return { title, columns, rows: still.rows, verdicts, leftOut };
  }
  const rates = await streetRates(vision);
  const faster = rounded(rates.gated / rates.ungated, 2);
  verdicts.push({
    name: "frames a second, 9 of 10 still, gate on / off",
    value: faster,
    bound: "≥ 3",
    holds: faster >= 3,
  });
  return {
    title,
    columns,
    rows: [
      ...still.rows,
      ["street, gate off: frames a second", rounded(rates.ungated, 1)],
      ["street, gate on: frames a second", rounded(rates.gated, 1)],
      ["share of its frames that the model saw", rounded(rates.detectedShare, 3)],
    ],
    verdicts,
  };
}

async function yolo(shared: string): Promise<ModelSpec> {
  return resolveModel(join(shared, "models", "yolov8n-320-f32.onnx"), { modelsFolders: [] });
}

/** The same call that the vision process makes for a frame, here in this process, and in turn the decode alone. */
async function stillScene(vision: Vision, model: ModelSpec) {
  const { detectionsMax, candidatesMax } = visionLimits;
  const service = new VisionService();
  const settings = { threads: 1, detectionsMax, candidatesMax };
  await service.perform({ kind: "load", model, settings }, Buffer.alloc(0));
  const imaging = await openImaging();
  const { inputWidth = width, inputHeight = height } = vision.model() ?? {};
  const at = placePicture(width, height, inputWidth, inputHeight, "letterbox");
  const frames = await stillFrames(vision);
  const [decode, watch, ratio, measure, round, bytes]: number[][] = [[], [], [], [], [], []];
  for (let index = -WARM_UP; index < STILL_ROUNDS; index += 1) {
    const frame = frames[(index + WARM_UP) % frames.length] ?? Buffer.alloc(0);
    const options = { exact: false, cameraId: "still", monotonicMs: index, gate: { ...gate, detectEveryMs: 1e12 } };
    let answer: unknown;
    const look = async () => {
      answer = (await service.perform({ kind: "watch", options: { ...options, force: false, measure: true } }, frame))
        .result;
    };
    // Which goes first changes every round, so that neither always finds the caches warm.
    let watchMs = index % 2 === 0 ? await timed(look) : 0;
    const decodeMs = await timed(() => imaging.pixelsAt(frame, at));
    if (index % 2 !== 0) watchMs = await timed(look);
    const through = await vision.watch(frame, { ...options, force: false, measure: true }, never);
    if (index < 0) continue;
    if (!isStill(answer) || through.kind !== "still") throw new Error(`picture ${index} of a still scene moved`);
    decode?.push(decodeMs);
    watch?.push(watchMs);
    ratio?.push(watchMs / decodeMs);
    measure?.push(answer.timings.measureMs);
    round?.push(through.timings.roundMs);
    bytes?.push(frame.length / 1_024);
  }
  const middle = (values: readonly number[] = []) => rounded(median(values));
  return {
    ratio: median(ratio ?? []),
    rows: [
      ["JPEG, KB", Math.round(median(bytes ?? []))],
      ["decode alone, ms", middle(decode)],
      ["still frame: decode, measures, gate, ms", middle(watch)],
      ["of these, measures and gate, ms", middle(measure)],
      ["still frame, whole round to the vision process and back, ms", middle(round)],
    ] as (string | number)[][],
  };
}

/** The empty street, each picture with its own noise; as large as a camera's JPEGs. */
async function stillFrames(vision: Vision): Promise<readonly Buffer[]> {
  const frames: Buffer[] = [];
  for (let index = 0; index < 20; index += 1) {
    const { svg } = street({ seed: 5, index, width, height, periodFrames: 10_000, noise: 0.25 });
    frames.push((await vision.render(svg, { quality: 90 }, never)).jpeg);
  }
  return frames;
}

async function streetRates(vision: Vision) {
  const frames: Buffer[] = [];
  for (let index = 0; index < STREET_FRAMES; index += 1) {
    const { svg } = street({ seed: 6, index, width, height, periodFrames: 100, entries: ["cross"], noise: 0.25 });
    frames.push((await vision.render(svg, { quality: 90 }, never)).jpeg);
  }
  const [gated, ungated]: [number[], number[]] = [[], []];
  let detected = 0;
  for (let round = 0; round < STREET_ROUNDS; round += 1) {
    const cameraId = `street ${round}`;
    const startedMs = performance.now();
    for (const [index, frame] of frames.entries()) {
      const options = { exact: false, cameraId, monotonicMs: index * FRAME_MS, gate, force: false, measure: true };
      if ((await vision.watch(frame, options, never)).kind === "detected") detected += 1;
    }
    const betweenMs = performance.now();
    for (const frame of frames) await vision.detect(frame, { exact: false }, never);
    gated.push((1_000 * STREET_FRAMES) / (betweenMs - startedMs));
    ungated.push((1_000 * STREET_FRAMES) / (performance.now() - betweenMs));
  }
  const detectedShare = detected / (STREET_ROUNDS * STREET_FRAMES);
  return { gated: median(gated), ungated: median(ungated), detectedShare };
}

function isStill(answer: unknown): answer is { readonly timings: { readonly measureMs: number } } {
  return typeof answer === "object" && answer !== null && "kind" in answer && answer.kind === "still";
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await call();
  return performance.now() - startedMs;
}
