import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { AgentError, errnoOf, messageOf } from "../core/errors.ts";
import { configLimits } from "../core/limits.ts";
import { visionLimits } from "../core/vision-limits.ts";
import { type DetectorRules, manifestSchema, type ModelManifest } from "./config.ts";

/** A detector on disk: which file, what it is called, and what is known of it beyond the file. */
export interface ModelSpec {
  /** The manifest's name, else the file's without its ending. */
  readonly name: string;
  /** Absolute. */
  readonly file: string;
  readonly sha256: string;
  readonly manifest: ModelManifest;
  /** What an operator wants of it, above the manifest. */
  readonly rules?: DetectorRules;
}

interface ResolveOptions {
  /** A manifest file; without it `<file>.json` is read, or a `model.json` beside the model that names its file. */
  readonly manifest?: string;
  /** Where a bare name is looked for, as `<folder>/<name>.onnx`, in this order. */
  readonly modelsFolders: readonly string[];
}

/**
 * Finds a model by file or by name, reads its manifest and computes its checksum. Loads nothing.
 * Fails with `MODEL_NOT_FOUND`, `MODEL_TOO_LARGE`, `MODEL_MANIFEST` or `MODEL_CHECKSUM`.
 */
export async function resolveModel(nameOrFile: string, options: ResolveOptions): Promise<ModelSpec> {
  const file = await findModel(nameOrFile, options.modelsFolders);
  const manifest = await findManifest(file, options.manifest);
  const sha256 = await sha256Of(file);
  if (manifest.sha256 !== undefined && manifest.sha256 !== sha256) {
    throw new AgentError(
      "MODEL_CHECKSUM",
      `the model ${file} is not the file its manifest names: sha256 ${sha256}, expected ${manifest.sha256}`,
      { disposition: "fatal" },
    );
  }
  return { name: manifest.name ?? basename(file, extname(file)), file, sha256, manifest };
}

async function findModel(nameOrFile: string, folders: readonly string[]): Promise<string> {
  const isName = /^[\w.-]+$/.test(nameOrFile) && !nameOrFile.endsWith(".onnx");
  const tried = [
    resolve(nameOrFile),
    ...(isName ? folders.map((folder) => resolve(folder, `${nameOrFile}.onnx`)) : []),
  ];
  for (const file of tried) {
    const found = await statOf(file);
    if (found?.isFile() !== true) continue;
    if (found.size <= visionLimits.modelBytesMax) return file;
    throw new AgentError("MODEL_TOO_LARGE", `the model ${file} has ${found.size} bytes`, { disposition: "fatal" });
  }
  throw new AgentError("MODEL_NOT_FOUND", `no model ${nameOrFile}: looked for ${tried.join(", ")}`, {
    disposition: "fatal",
  });
}

async function findManifest(modelFile: string, given: string | undefined): Promise<ModelManifest> {
  if (given !== undefined) {
    const manifest = await readManifest(given);
    if (manifest !== undefined) return manifest;
    throw new AgentError("MODEL_MANIFEST", `no manifest ${given}`, { disposition: "fatal" });
  }
  const own = await readManifest(`${modelFile}.json`);
  if (own !== undefined) return own;
  const shared = await readManifest(join(dirname(modelFile), "model.json"));
  return shared?.file === basename(modelFile) ? shared : {};
}

/** Undefined where there is no such file. Fails with `MODEL_MANIFEST`. */
export async function readManifest(file: string): Promise<ModelManifest | undefined> {
  const found = await statOf(file);
  if (found?.isFile() !== true) return undefined;
  if (found.size > configLimits.fileBytesMax) throw manifestError(file, `it has ${found.size} bytes`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw manifestError(file, messageOf(error), error);
  }
  const checked = manifestSchema.safeParse(parsed);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  throw manifestError(file, `${where}${issue?.message ?? "not a manifest"}`);
}

function manifestError(file: string, why: string, cause?: unknown): AgentError {
  return new AgentError("MODEL_MANIFEST", `cannot use the manifest ${file}: ${why}`, { disposition: "fatal", cause });
}

async function statOf(file: string) {
  try {
    return await stat(file);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw new AgentError("MODEL_NOT_FOUND", `cannot read ${file}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) hash.update(chunk as Buffer);
  } catch (error) {
    throw new AgentError("MODEL_NOT_FOUND", `cannot read ${file}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
  return hash.digest("hex");
}
