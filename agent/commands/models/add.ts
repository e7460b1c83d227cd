import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, asAgentError } from "../../../src/core/errors.ts";
import type { ModelInfo } from "../../../src/core/vision-port.ts";
import type { Downloaded } from "../../../src/models/download.ts";
import { HttpStream } from "../../../src/link/http-stream.ts";
import { type InstalledModel, modelFileName, type StagedModel } from "../../../src/models/store.ts";
import { resolveModel } from "../../../src/vision/model.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { fileProblem } from "../../files.ts";
import { type ModelSource, modelSource } from "../../models/model-source.ts";
import { isUnnamed, modelLine, tryModel, unnamedLabels } from "../../models/model-trial.ts";
import { downloadsOf, modelsPlace, type ModelsPlace, ownModels } from "../../models/models-place.ts";
import { progressBar } from "../../progress.ts";
import { sizeText } from "../../terminal.ts";

export interface ModelsAddOptions {
  /** `NAME`, or `NAME@VERSION`. */
  readonly as?: string;
  readonly sha256?: string;
  readonly manifest?: string;
  readonly force?: true;
}

/** Nothing is installed, and nothing stays behind, unless the whole file came, is the one asked for, and can be loaded. */
export async function modelsAdd(context: CommandContext, what: string, options: ModelsAddOptions): Promise<ExitCode> {
  const place = await modelsPlace(context);
  // Files are opened before: who is root now may read what the data folder's owner may not.
  const source = await modelSource(what, options);
  try {
    return await added(context, place, source, options);
  } finally {
    await source.close();
  }
}

async function added(
  context: CommandContext,
  place: ModelsPlace,
  source: ModelSource,
  options: ModelsAddOptions,
): Promise<ExitCode> {
  const { terminal, json } = context;
  await ownModels(place);
  await downloadsOf(place, new HttpStream()).sweep();
  const [name = source.name, version = source.version] = options.as?.split("@", 2) ?? [];
  const provisional = `unnamed-${randomBytes(4).toString("hex")}`;
  const staged = await place.store.stage({ name, version: version ?? provisional });
  try {
    const came = await fill(context, place, source, staged);
    const ref = { name, version: version ?? came.sha256.slice(0, 8) };
    await writeManifest(staged, source, came);
    const info = await tried(context, staged, source, options);
    const installed = await place.store.install({ folder: staged.folder, ref });
    if (json) terminal.data(JSON.stringify(jsonLine(installed, came, info)));
    else for (const line of textLines(installed, source, came, info)) terminal.data(line);
    if (info !== undefined && isUnnamed(info)) terminal.note(unnamedLabels);
    if (!source.isVouchedFor) {
      terminal.note("nothing vouches for this file but the connection: compare its sha256 with what its maker says");
    }
    return exitCodes.ok;
  } finally {
    await place.store.discard(staged);
  }
}

async function fill(
  { terminal, signal }: CommandContext,
  place: ModelsPlace,
  source: ModelSource,
  { folder, ref }: StagedModel,
): Promise<Downloaded> {
  return await source.fill(place, join(folder, modelFileName), {
    signal,
    onProgress: (bytes, totalBytes) => {
      const bar = totalBytes === undefined ? "" : `${progressBar(bytes, totalBytes)}  `;
      const of = totalBytes === undefined ? "" : ` of ${sizeText(totalBytes)}`;
      terminal.status(`${bar}${ref.name}  ${sizeText(bytes)}${of}`);
    },
    onTrouble: ({ message }, pauseMs) => {
      terminal.status(`${message}; trying again in ${Math.ceil(pauseMs / 1_000)} s`);
    },
  });
}

/** It vouches for the file at every load. */
async function writeManifest({ folder }: StagedModel, source: ModelSource, came: Downloaded): Promise<void> {
  const path = join(folder, "model.json");
  const { sha256 = came.sha256, ...manifest } = source.manifest;
  if (sha256 !== came.sha256) {
    throw new AgentError("MODEL_CHECKSUM", `the file has sha256 ${came.sha256}, its manifest says ${String(sha256)}`, {
      disposition: "reject",
    });
  }
  const content = { source: source.shown, ...manifest, file: modelFileName, ...came };
  try {
    const file = await open(path, "wx", 0o640);
    try {
      await file.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new AgentError("MODEL_STORE", `cannot write ${path}: ${fileProblem(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

/** Undefined only with `--force`, for a model that cannot be used. */
async function tried(
  context: CommandContext,
  { folder, ref }: StagedModel,
  { shown }: ModelSource,
  { force }: ModelsAddOptions,
): Promise<ModelInfo | undefined> {
  const { terminal, signal } = context;
  const file = join(folder, modelFileName);
  terminal.status(`loading ${ref.name}`);
  try {
    const spec = await resolveModel(file, { modelsFolders: [] });
    return await tryModel(context, { ...spec, name: spec.manifest.name ?? ref.name });
  } catch (error) {
    signal.throwIfAborted();
    const { code, disposition, message } = asAgentError(error, `loading ${ref.name}`);
    // A person knows the file by the name that it came with.
    const problem = new AgentError(code, message.replaceAll(file, shown), { disposition, cause: error });
    if (force !== true || problem.code === "MODEL_CHECKSUM" || problem.code === "MODEL_MANIFEST") throw problem;
    terminal.note(`installed although it cannot be used: ${problem.message} (${problem.code})`);
    return undefined;
  }
}

function jsonLine({ name, version, folder }: InstalledModel, came: Downloaded, info: ModelInfo | undefined): object {
  const { family, labels, inputWidth, inputHeight } = info ?? {};
  const known = info === undefined ? { usable: false } : { usable: true, family, labels, inputWidth, inputHeight };
  return { added: `${name}@${version}`, folder, ...came, ...known };
}

function textLines(
  { name, version }: InstalledModel,
  { manifest }: ModelSource,
  { sha256, bytes }: Downloaded,
  info: ModelInfo | undefined,
): readonly string[] {
  const licence = typeof manifest["licence"] === "string" ? manifest["licence"] : "licence not stated";
  return [
    `${name}@${version} is installed`,
    ...(info === undefined ? [] : [`  ${modelLine(info)}`]),
    `  ${sizeText(bytes)}, ${licence}`,
    `  sha256 ${sha256}`,
    `  put it to use with: framepost models use ${name}@${version}`,
  ];
}
