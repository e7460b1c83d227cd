import { availableParallelism, cpus } from "node:os";
import { basename } from "node:path";
import { AgentError, asAgentError } from "../../../src/core/errors.ts";
import { modelFileName } from "../../../src/models/store.ts";
import { proofSceneSvg } from "../../../src/vision/proof-scene.ts";
import type { ModelSpec } from "../../../src/vision/model.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { readPicture } from "../../files.ts";
import { type Advice, advise, type SpeedRow, speedRow, type Visit } from "../../models/model-speed.ts";
import { progressBar } from "../../progress.ts";
import { counted, sizeText, textTable } from "../../terminal.ts";
import { chooseModels, visionFor } from "../../models/choose-models.ts";

export interface ModelsBenchOptions {
  readonly photo?: string;
  readonly runs: number;
}

/** Machines are noisy: every case is visited several times, in turn, and what is slow for a while is so for all. */
const roundsMax = 3;
const runsMax = 1_000;
const modelsMax = 8;
/** Numbers of threads that are tried: more than eight never helped a model that fits a gateway. */
const threadsMax = 8;
/** Of one visit, so that a slow model on a slow machine ends; two detections are made all the same. */
const visitTimeMaxMs = 20_000;

interface Case {
  readonly reference: string;
  /** How it comes into use: an installed one by a command, another by `detector.model`; the model in use is. */
  readonly advised: "use" | "config" | undefined;
  /** A name, or the path of a file that has none. */
  readonly callIt: string;
  readonly spec: ModelSpec;
  readonly threads: number;
  readonly visits: Visit[];
}

/**
 * Each model with one thread and more. One vision process lives at a time, so that none slows another, and the memory of
 * a gateway suffices.
 */
export async function modelsBench(
  context: CommandContext,
  references: readonly string[],
  { photo, runs }: ModelsBenchOptions,
): Promise<ExitCode> {
  const { terminal, json } = context;
  const picture = photo === undefined ? undefined : await readPicture(photo);
  const { cases, failed } = await casesOf(context, references);
  const rounds = Math.max(1, Math.min(roundsMax, Math.floor(runs / 2)));
  const runsPerVisit = Math.max(2, Math.ceil(Math.min(runs, runsMax) / rounds));
  const broken = new Set<string>();
  for (let visit = 0; visit < rounds * cases.length; visit += 1) {
    const one = cases[visit % cases.length];
    if (one === undefined || broken.has(one.reference)) continue;
    terminal.status(
      `${progressBar(visit, rounds * cases.length)}  ${one.reference}, ${counted(one.threads, "thread")}`,
    );
    try {
      one.visits.push(await visitCase(context, one, picture, runsPerVisit));
    } catch (error) {
      context.signal.throwIfAborted();
      broken.add(one.reference);
      terminal.note(failureText(one.reference, error));
    }
  }
  const rows = cases.flatMap(({ reference, threads, visits }) =>
    broken.has(reference) ? [] : (speedRow(reference, threads, visits) ?? []),
  );
  const advice = advise(rows);
  if (json) terminal.data(JSON.stringify({ machine: machine(), rows, ...(advice === undefined ? {} : { advice }) }));
  else for (const line of textLines(rows, advice, cases)) terminal.data(line);
  return failed + broken.size > 0 || rows.length === 0 ? exitCodes.failed : exitCodes.ok;
}

async function casesOf(context: CommandContext, references: readonly string[]) {
  if (references.length > modelsMax) {
    throw new AgentError("USAGE_MODELS", `at most ${modelsMax} models at a time`, { disposition: "fatal" });
  }
  const cases: Case[] = [];
  let failed = 0;
  const { models } = await chooseModels(context, references);
  const threadsTried = Math.min(threadsMax, availableParallelism());
  for (const { reference, find } of models) {
    try {
      const spec = await find();
      const isInstalled = basename(spec.file) === modelFileName;
      const advised = references.length === 0 ? undefined : isInstalled ? "use" : "config";
      const callIt = reference.endsWith(".onnx") ? spec.file : reference;
      const taken = cases.some((one) => one.reference === spec.name);
      for (let threads = 1; threads <= threadsTried; threads += 1) {
        cases.push({ reference: taken ? reference : spec.name, advised, callIt, spec, threads, visits: [] });
      }
    } catch (error) {
      failed += 1;
      context.terminal.note(failureText(reference, error));
    }
  }
  return { cases, failed };
}

async function visitCase(
  context: CommandContext,
  { spec, threads }: Case,
  photo: Buffer | undefined,
  runs: number,
): Promise<Visit> {
  const { signal } = context;
  const vision = visionFor(context, { model: spec, threads });
  try {
    await vision.start(signal);
    const picture = photo ?? (await vision.render(proofSceneSvg, { quality: 90 }, signal)).jpeg;
    // The first one makes buffers that the others find.
    const { model } = await vision.detect(picture, { exact: false }, signal);
    const before = await vision.usage(signal);
    const [runsMs, roundsMs]: [number[], number[]] = [[], []];
    for (let spentMs = 0; roundsMs.length < runs && (roundsMs.length < 2 || spentMs < visitTimeMaxMs);) {
      const { timings } = await vision.detect(picture, { exact: false }, signal);
      runsMs.push(timings.runMs);
      roundsMs.push(timings.roundMs);
      spentMs += timings.roundMs;
    }
    const after = await vision.usage(signal);
    // Last, because it takes memory that detections do not.
    const { graph } = await vision.inspect(picture, signal);
    return {
      runsMs,
      roundsMs,
      cpuMs: after.cpuMs - before.cpuMs,
      rssPeakBytes: after.rssPeakBytes,
      ...(graph === undefined ? {} : { precision: graph.precision, parameters: graph.parameters }),
      inputWidth: model.inputWidth,
      inputHeight: model.inputHeight,
    };
  } finally {
    await vision.stop();
  }
}

function textLines(rows: readonly SpeedRow[], advice: Advice | undefined, cases: readonly Case[]): readonly string[] {
  const head = ["model", "precision", "input", "threads", "run ms", "p95", "detection ms", "p95", "cpu ms", "memory"];
  const table = textTable(head, rows.map(cells));
  if (advice === undefined) return [];
  const { cores, cpu } = machine();
  const { advised, callIt = "" } = cases.find(({ reference }) => reference === advice.reference) ?? {};
  return [
    ...table,
    "",
    `For this machine (${counted(cores, "core")}, ${cpu}):`,
    ...advice.reasons.map((reason) => `  ${reason}`),
    "  speed is not sight: what a model finds, framepost models verify and framepost detect show",
    ...(advised === "use" ? [`  put it to use with: framepost models use ${callIt}`] : []),
    "",
    "detector:",
    ...(advised === "config" ? [`  model: ${callIt}`] : []),
    `  threads: ${advice.threads}`,
  ];
}

function cells(row: SpeedRow): readonly (string | number)[] {
  const { reference, precision = "unknown", inputWidth, inputHeight, threads, rssPeakBytes } = row;
  const times = [row.runMs, row.runMsP95, row.roundMs, row.roundMsP95, row.cpuMs].map((ms) => Number(ms.toFixed(1)));
  return [reference, precision, `${inputWidth}×${inputHeight}`, threads, ...times, sizeText(rssPeakBytes)];
}

function machine() {
  const cpu = cpus()[0]?.model.trim() ?? "";
  return { cores: availableParallelism(), cpu: cpu === "" ? process.arch : cpu, arch: process.arch };
}

function failureText(reference: string, error: unknown): string {
  const { code, message } = asAgentError(error, `measuring ${reference}`);
  return `${reference}: ${message} (${code})`;
}
