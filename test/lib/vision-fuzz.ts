import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../../src/core/errors.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { spawnVision, type VisionChild } from "../../src/vision/child.ts";
import type { Task } from "../../src/vision/protocol.ts";
import { mutated } from "./mutations.ts";
import { seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";

/**
 * Damaged models and pictures through the real vision process: one process takes one after another and is started again
 * when it dies. Whatever comes, each is answered or refused in words before its deadline.
 */

export interface FuzzFigures {
  /** How often each code was the answer; `none` where nothing was wrong. */
  readonly codes: Map<string, number>;
  /** Processes that died; each of them is in `codes` too. */
  deaths: number;
  slowestMs: number;
  /** Answers that are no clear error: a code and words for it. Must stay empty. */
  readonly unclear: string[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly timeoutMs: number;
  readonly sources: readonly Buffer[];
}

/** Far more than a detector needs: what a damaged size makes a runtime ask for must not take this machine with it. */
const RSS_BYTES_MAX = 3_000_000_000;
const PAGE_BYTES = 4_096;
const settings = { threads: 1, detectionsMax: 100, candidatesMax: visionLimits.candidatesMax };

export async function fuzzModels(options: FuzzOptions, picture: Buffer): Promise<FuzzFigures> {
  await using folder = await tempFolder();
  const file = join(folder.path, "model.onnx");
  const model = { name: "damaged", file, sha256: "0".repeat(64), manifest: {} };
  return await fuzz(options, async (bytes, ask) => {
    await writeFile(file, bytes);
    if (await ask({ kind: "load", model, settings })) await ask({ kind: "detect", exact: false }, picture);
  });
}

/** The process has loaded `model`. */
export async function fuzzPictures(
  options: FuzzOptions,
  model: Task & { readonly kind: "load" },
): Promise<FuzzFigures> {
  const tasks: readonly Task[] = [
    { kind: "detect", exact: false },
    { kind: "detect", exact: true },
    { kind: "reencode", options: { quality: 80 } },
    { kind: "thumbnail", sideMax: 64, quality: 50 },
    { kind: "measure" },
  ];
  let turn = 0;
  const born = async (child: VisionChild) => {
    await child.ask(model, undefined, visionLimits.loadTimeoutMs);
  };
  return fuzz(
    options,
    async (bytes, ask) => {
      turn += 1;
      await ask(tasks[turn % tasks.length] ?? { kind: "measure" }, bytes);
    },
    born,
  );
}

/** True when nothing was wrong. */
type Ask = (task: Task, body?: Buffer) => Promise<boolean>;

async function fuzz(
  { seed, rounds, timeoutMs, sources }: FuzzOptions,
  round: (bytes: Buffer, ask: Ask) => Promise<void>,
  born: (child: VisionChild) => Promise<void> = async () => Promise.resolve(),
): Promise<FuzzFigures> {
  const figures: FuzzFigures = { codes: new Map(), deaths: 0, slowestMs: 0, unclear: [] };
  const random = seededRandom(seed);
  let child = spawnVision();
  await born(child);
  const guard = setInterval(() => {
    endIfHuge(child);
  }, 20);
  try {
    for (let index = 0; index < rounds; index += 1) {
      const [source, other] = [pick(sources, random()), pick(sources, random())];
      const life = { isOver: false };
      await round(mutated(source, random, other), async (task, body) => {
        if (life.isOver) return false;
        const startedMs = performance.now();
        const error = await errorOf(child, task, body, timeoutMs);
        figures.slowestMs = Math.max(figures.slowestMs, performance.now() - startedMs);
        note(figures, error, `seed ${seed}, round ${index}, ${task.kind}`);
        life.isOver = error?.code.startsWith("VISION_") === true;
        return error === undefined;
      });
      if (!life.isOver) continue;
      figures.deaths += 1;
      await child.stop();
      child = spawnVision();
      await born(child);
    }
  } finally {
    clearInterval(guard);
    await child.stop();
  }
  return figures;
}

interface Problem {
  readonly code: string;
  readonly message: string;
}

async function errorOf(
  child: VisionChild,
  task: Task,
  body: Buffer | undefined,
  timeoutMs: number,
): Promise<Problem | undefined> {
  // The process's own deadline ends it; this one would catch a client that waits for ever.
  const never = delay(2 * timeoutMs, { code: "NO_ANSWER", message: "" }, { ref: false });
  const answer = child.ask(task, body, timeoutMs).then(
    ({ reply }) => reply.error,
    (error: unknown) => (error instanceof AgentError ? error : { code: "FOREIGN_ERROR", message: String(error) }),
  );
  return Promise.race([answer, never]);
}

function note(figures: FuzzFigures, error: Problem | undefined, where: string): void {
  const code = error?.code ?? "none";
  figures.codes.set(code, (figures.codes.get(code) ?? 0) + 1);
  if (error === undefined) return;
  const isClear = /^(MODEL|IMAGE|VISION)_[A-Z_]+$/.test(code) && error.message.split(" ").length >= 4;
  if (!isClear) figures.unclear.push(`${where}: ${code} ${error.message}`);
}

function endIfHuge({ pid }: VisionChild): void {
  if (pid === undefined) return;
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    if (pages * PAGE_BYTES > RSS_BYTES_MAX) process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function pick(sources: readonly Buffer[], share: number): Buffer {
  return sources[Math.floor(share * sources.length)] ?? Buffer.alloc(1);
}
