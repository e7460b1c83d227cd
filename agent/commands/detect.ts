import { opendir, stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { shownDetections } from "../../src/core/detections.ts";
import { AgentError, asAgentError } from "../../src/core/errors.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import type { DetectResult, ModelInfo, Vision } from "../../src/core/vision-port.ts";
import type { Detection } from "../../src/core/types.ts";
import { defaultModel } from "../../src/config/sections.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import { boxesSvg } from "../annotate.ts";
import { chooseModels, visionFor } from "../models/choose-models.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { aboutFile, fileProblem, makeOutputFolder, readPicture, writeOutput } from "../files.ts";
import { findModel } from "../models/find-model.ts";
import { isUnnamed, unnamedLabels } from "../models/model-trial.ts";
import { counted, textTable } from "../terminal.ts";

interface DetectOptions {
  /** The model in use where it is left out. */
  readonly model?: string;
  readonly manifest?: string;
  readonly threshold?: number;
  readonly exact?: true;
  readonly tiles?: { readonly columns: number; readonly rows: number };
  readonly annotate?: string;
}

const comeBackMs = 15_000;

/** The detector on files or folders. A file that cannot be read is reported and does not stop the rest. */
export async function detect(
  context: CommandContext,
  paths: readonly string[],
  options: DetectOptions,
): Promise<ExitCode> {
  const images = await imageFiles(paths);
  const model = await modelOf(context, options);
  const vision = visionFor(context, {
    model,
    detectionsMax: visionLimits.candidatesMax,
    ...(options.tiles === undefined ? {} : { tiles: { ...options.tiles, overlap: visionLimits.tileOverlap } }),
  });
  if (options.annotate !== undefined) await prepareAnnotations(images, options.annotate);
  try {
    await vision.start(context.signal);
    noteAbout(context, vision.model(), options);
    return await detectAll(context, vision, images, options);
  } finally {
    await vision.stop();
  }
}

/** A file needs no config, not even one without mistakes. */
async function modelOf(context: CommandContext, { model, manifest }: DetectOptions): Promise<ModelSpec> {
  if (model?.endsWith(".onnx") === true) {
    return findModel(model, { dataFolder: context.dataFolder, ...(manifest === undefined ? {} : { manifest }) });
  }
  const { models } = await chooseModels(context, model === undefined ? [] : [model], manifest);
  const [chosen] = models;
  if (chosen !== undefined) return await chosen.find();
  throw new AgentError("MODEL_NOT_FOUND", "no model is in use", { disposition: "fatal" });
}

function noteAbout({ terminal }: CommandContext, info: ModelInfo | undefined, { model }: DetectOptions): void {
  if (info === undefined) return;
  for (const warning of info.warnings ?? []) terminal.note(warning);
  if (model === undefined && info.name === defaultModel) {
    terminal.note(
      "no model is in use but the one that ships, which knows coloured rectangles only: name one with --model",
    );
  } else if (model === undefined) terminal.note(`with the model in use, ${info.name}`);
  if (isUnnamed(info)) terminal.note(unnamedLabels);
}

async function detectAll(
  context: CommandContext,
  vision: Vision,
  images: readonly string[],
  options: DetectOptions,
): Promise<ExitCode> {
  const { terminal, signal, json } = context;
  let failed = 0;
  for (const [index, image] of images.entries()) {
    signal.throwIfAborted();
    if (images.length > 1) terminal.status(`detecting ${index + 1}/${images.length}  ${image}`);
    try {
      const jpeg = await readPicture(image);
      const found = await vision.detect(jpeg, { exact: options.exact === true }, signal);
      const { detections, model } = found;
      const { threshold } = options;
      const shown = shownDetections({ detections, model: threshold === undefined ? model : { threshold } });
      if (options.annotate !== undefined) await annotate(vision, jpeg, found, shown, image, options.annotate, signal);
      if (json) terminal.data(JSON.stringify(jsonLine(image, found, shown)));
      else for (const line of textLines(image, found, shown)) terminal.data(line);
    } catch (error) {
      signal.throwIfAborted();
      failed += 1;
      const problem = asAgentError(error, `reading ${image}`);
      terminal.note(aboutFile(image, problem));
      if (problem.code.startsWith("VISION_")) await untilReady(context, vision);
    }
  }
  if (failed > 0) terminal.note(`${failed} of ${counted(images.length, "image")} failed`);
  return failed > 0 ? exitCodes.failed : exitCodes.ok;
}

/** A picture that ended the vision process costs itself, not those behind it: the process comes back in a moment. */
async function untilReady({ clock, signal }: CommandContext, vision: Vision): Promise<void> {
  const startedMs = clock.monotonicMs();
  while (vision.health().state !== "ready" && clock.monotonicMs() - startedMs < comeBackMs) {
    await clock.sleep(50, signal);
  }
}

/** The form that others rely on: keep it. */
function jsonLine(image: string, { width, height, model, timings }: DetectResult, shown: readonly Detection[]): object {
  const { decodeMs, fillMs, runMs, postMs, roundMs } = timings;
  return {
    image,
    width,
    height,
    model: model.name,
    detections: shown,
    timingsMs: { decode: decodeMs, fill: fillMs, run: runMs, post: postMs, round: roundMs },
  };
}

function textLines(image: string, { width, height, timings }: DetectResult, shown: readonly Detection[]): string[] {
  const head = `${image}  ${width}×${height}  ${shown.length} found  ${timings.roundMs.toFixed(0)} ms`;
  if (shown.length === 0) return [head];
  const rows = shown.map(({ label, score, box }) => [
    `  ${label}`,
    Number(score.toFixed(3)),
    ...[box.left, box.top, box.width, box.height].map((pixels) => Number(pixels.toFixed(1))),
  ]);
  return [head, ...textTable(["  label", "score", "left", "top", "width", "height"], rows)];
}

async function annotate(
  vision: Vision,
  jpeg: Buffer,
  found: DetectResult,
  shown: readonly Detection[],
  image: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const svg = boxesSvg(found, shown);
  const drawn = await vision.render(svg, { quality: 90, under: jpeg }, signal);
  await writeOutput(annotatedFile(image, folder), drawn.jpeg);
}

/** Refuses what would replace a picture: the originals, or one copy by another of the same name. */
async function prepareAnnotations(images: readonly string[], folder: string): Promise<void> {
  const originals = new Set(images.map((image) => resolve(image)));
  const copies = new Set<string>();
  for (const image of images) {
    const copy = resolve(annotatedFile(image, folder));
    if (originals.has(copy) || copies.has(copy)) {
      throw new AgentError("USAGE_ANNOTATE", `--annotate would write over ${copy}; name another folder`, {
        disposition: "fatal",
      });
    }
    copies.add(copy);
  }
  await makeOutputFolder(folder);
}

function annotatedFile(image: string, folder: string): string {
  return join(folder, `${basename(image, extname(image))}.jpg`);
}

async function imageFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    try {
      if (!(await stat(path)).isDirectory()) {
        files.push(path);
        continue;
      }
      const names: string[] = [];
      for await (const entry of await opendir(path)) {
        if (entry.isFile() && /^\.jpe?g$/i.test(extname(entry.name))) names.push(entry.name);
      }
      files.push(...names.sort().map((name) => join(path, name)));
    } catch (error) {
      throw new AgentError("USAGE_PATH", `cannot read ${path}: ${fileProblem(error)}`, {
        disposition: "fatal",
        cause: error,
      });
    }
  }
  if (files.length === 0) {
    throw new AgentError("USAGE_PATH", `no JPEG files in ${paths.join(", ")}`, { disposition: "fatal" });
  }
  return files;
}
