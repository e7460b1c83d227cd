import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Duplex } from "node:stream";
import { visionLimits } from "../../src/core/vision-limits.ts";
import type { Vision } from "../../src/core/vision-port.ts";
import { Channel } from "../../src/vision/channel.ts";
import { VisionService } from "../../src/vision/process/service.ts";
import { randomScene, sceneHeight, sceneWidth } from "../lib/scenes.ts";
import { seededRandom } from "../lib/seams.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";
import { median, percentile, rounded, type BenchTable } from "./table.ts";

/**
 * What it costs that the detector runs in a process of its own: the same call on the same frame through the process and
 * inside this one, in turn. And why pictures cross as they do: our framing against Node's own messages.
 */

const ROUNDS = 240;
const WARM_UP = 20;
const PAUSE_MS = 10;
const BOUND_MS = 0.5;

export async function visionBoundary(): Promise<BenchTable> {
  const model = await tinyModel();
  await using vision = visionProcess({ model, threads: 1 });
  await vision.start(never);
  const service = new VisionService();
  const { detectionsMax, candidatesMax } = visionLimits;
  await service.perform(
    { kind: "load", model, settings: { threads: 1, detectionsMax, candidatesMax } },
    Buffer.alloc(0),
  );
  const frame = await texturedFrame(vision);

  const through: number[] = [];
  const inside: number[] = [];
  const paired: number[] = [];
  const around: number[] = [];
  const callInside = async () => service.perform({ kind: "detect", exact: false }, frame);
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    // Which of the two goes first changes every round, so that neither always finds the caches warm.
    let inner = round % 2 === 0 ? await timed(callInside) : 0;
    const startedMs = performance.now();
    const { timings } = await vision.detect(frame, { exact: false }, never);
    const outer = performance.now() - startedMs;
    if (round % 2 !== 0) inner = await timed(callInside);
    if (round < 0) continue;
    through.push(outer);
    inside.push(inner);
    paired.push(outer - inner);
    around.push(outer - timings.decodeMs - timings.fillMs - timings.runMs - timings.postMs);
  }
  const ours = await echoOverFraming(frame);
  const nodes = await echoOverMessages(frame);
  const added = median(paired);
  return {
    title: `Process boundary, one ${sceneWidth} x ${sceneHeight} frame of ${Math.round(frame.length / 1024)} KB (ms)`,
    columns: ["what", "median", "p90"],
    rows: [
      row("detect through the vision process", through),
      row("detect inside this process", inside),
      row("difference, pair by pair", paired),
      row("through the process, less the stages inside it", around),
      row("bare echo after a pause: frame there, a number back, our framing", ours),
      row("the same over Node's own messages", nodes),
    ],
    verdicts: [
      { name: "added by the boundary", value: rounded(added), bound: `≤ ${BOUND_MS} ms`, holds: added <= BOUND_MS },
    ],
  };
}

/** A scene with noise over it, so that its JPEG is as large as a camera's. */
async function texturedFrame(vision: Vision): Promise<Buffer> {
  const { svg } = randomScene(seededRandom(1));
  const noise = `<filter id="n"><feTurbulence type="turbulence" baseFrequency="0.4" numOctaves="2" seed="1"/></filter>
    <rect width="100%" height="100%" filter="url(#n)" opacity="0.35"/>`;
  const { jpeg } = await vision.render(svg.replace("</svg>", `${noise}</svg>`), { quality: 90 }, never);
  return jpeg;
}

const echoProgram = join(import.meta.dirname, "boundary-echo.js");

async function echoOverFraming(frame: Buffer): Promise<readonly number[]> {
  const child = spawn(process.execPath, [echoProgram, "framing"], { stdio: ["ignore", "ignore", "inherit", "pipe"] });
  const stream = child.stdio[3];
  if (!(stream instanceof Duplex)) throw new Error("the child has no descriptor 3");
  let answered: () => void = () => undefined;
  const channel = new Channel(
    stream,
    () => answered(),
    () => undefined,
  );
  channel.listen();
  const times = await timeRounds(
    async () =>
      new Promise<void>((resolve) => {
        answered = resolve;
        channel.send({ id: 1 }, frame);
      }),
  );
  return ended(child, times);
}

async function echoOverMessages(frame: Buffer): Promise<readonly number[]> {
  const child = fork(echoProgram, ["messages"], { serialization: "advanced" });
  const times = await timeRounds(async () => {
    const answer = once(child, "message");
    child.send({ id: 1, body: frame });
    await answer;
  });
  return ended(child, times);
}

async function timeRounds(call: () => Promise<void>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    // As long as a detection takes: both processes then sleep, and waking them is most of the cost.
    await delay(PAUSE_MS);
    const ms = await timed(call);
    if (round >= 0) times.push(ms);
  }
  return times;
}

async function ended(child: ChildProcess, times: readonly number[]): Promise<readonly number[]> {
  const exit = once(child, "exit");
  child.kill();
  await exit;
  return times;
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await call();
  return performance.now() - startedMs;
}

function row(what: string, times: readonly number[]): readonly (string | number)[] {
  return [what, rounded(median(times)), rounded(percentile(times, 0.9))];
}
