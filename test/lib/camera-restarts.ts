import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { CaptureLimits } from "../../src/capture/judge.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import { ownChildren, ownDescriptors } from "./own-processes.ts";
import { until } from "./poll.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";

/** A source that is broken again and again under its supervised camera. */
export interface RestartSource {
  readonly name: string;
  readonly driver: CameraDriver;
  /** By SIGKILL. */
  kill(): Promise<void>;
  /** By SIGSTOP. */
  freeze(): Promise<void>;
  /** Makes a killed or frozen source work again; absent where the driver starts it anew by itself. */
  restore?(): Promise<void>;
  /** Ends what the source needed beside its driver. */
  dispose?(): Promise<void>;
}

export interface RestartPlan {
  readonly kills: number;
  readonly freezes: number;
  readonly limits: Partial<CaptureLimits>;
  /** Of one way back, from the fault to the next frame. */
  readonly backWithinMs: number;
}

export interface RestartFigures {
  readonly backAfterKill: number;
  readonly backAfterFreeze: number;
  readonly slowestAfterKillMs: number;
  readonly slowestAfterFreezeMs: number;
  readonly processesLeft: number;
  readonly descriptorsLeft: number;
  /** Living memory after a collection, from the end of the first tenth to the end. */
  readonly growthBytes: number;
  readonly rssGrowthBytes: number;
}

const never = new AbortController().signal;

/** Throws when the camera does not come back. The first tenth of the kills is the warm-up of its memory figures. */
export async function restartRounds(source: RestartSource, plan: RestartPlan): Promise<RestartFigures> {
  const seams = { clock: new SystemClock(), random: seededRandom(1), log: new RecordingLogger() };
  const before = { children: (await ownChildren()).length, descriptors: await ownDescriptors() };
  const options = { id: "restarted", driver: source.driver, intervalMs: 0, limits: plan.limits };
  const camera = new SupervisedCamera(options, seams);
  await camera.start(never);
  const killMs: number[] = [];
  const freezeMs: number[] = [];
  let warm = livingMemory();
  try {
    await frame(camera, plan.backWithinMs);
    for (let round = 0; round < plan.kills; round += 1) {
      killMs.push(await wayBack(camera, source, () => source.kill(), plan));
      if (round === Math.floor(plan.kills / 10)) warm = livingMemory();
    }
    for (let round = 0; round < plan.freezes; round += 1) {
      freezeMs.push(await wayBack(camera, source, () => source.freeze(), plan));
    }
  } finally {
    await camera.stop();
  }
  const after = livingMemory();
  const left = async () => (await ownChildren()).length - before.children;
  await until(async () => (await left()) <= 0, "every process to be gone").catch(() => undefined);
  return {
    backAfterKill: killMs.length,
    backAfterFreeze: freezeMs.length,
    slowestAfterKillMs: Math.round(Math.max(0, ...killMs)),
    slowestAfterFreezeMs: Math.round(Math.max(0, ...freezeMs)),
    processesLeft: Math.max(0, await left()),
    descriptorsLeft: Math.max(0, (await ownDescriptors()) - before.descriptors),
    growthBytes: after.bytes - warm.bytes,
    rssGrowthBytes: after.rssBytes - warm.rssBytes,
  };
}

/** A restart has to be seen, and then a frame: until then what flows may be from before the fault. */
async function wayBack(
  camera: SupervisedCamera,
  source: RestartSource,
  fault: () => Promise<void>,
  { backWithinMs }: RestartPlan,
): Promise<number> {
  const { restarts } = camera.health();
  const beganMs = performance.now();
  await fault();
  await until(() => camera.health().state !== "running", "the camera to notice", backWithinMs);
  await source.restore?.();
  await until(() => camera.health().restarts > restarts, "a restart", backWithinMs);
  await frame(camera, backWithinMs);
  return performance.now() - beganMs;
}

async function frame(camera: SupervisedCamera, limitMs: number): Promise<void> {
  if ((await camera.nextFrame(AbortSignal.timeout(limitMs))) === undefined) throw new Error("the camera has ended");
}

let collect: (() => void) | undefined;

/** After two collections: what the first one finalises, the second one frees. */
function livingMemory(): { readonly bytes: number; readonly rssBytes: number } {
  setFlagsFromString("--expose-gc");
  // Once: each new context is a megabyte of its own.
  collect ??= runInNewContext("gc") as () => void;
  collect();
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { bytes: heapUsed + external, rssBytes: rss };
}
