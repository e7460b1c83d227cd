import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf } from "../core/errors.ts";
import type { Release, ReleaseFile } from "../models/release.ts";
import { type InstalledModel, modelFileName, type ModelRef, type ModelStore } from "../models/store.ts";
import { resolveModel } from "../vision/model.ts";

/** Brings one file, proven by its size and checksum, to this path. */
export type FetchFile = (
  file: ReleaseFile,
  into: string,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
) => Promise<void>;

/**
 * A release's files in the store, not yet in use. A version that is there already has to hold the same: then nothing is
 * fetched. Fails with `RELEASE_VERSION_TAKEN` where it does not, and with what fetching fails with; nothing is left then,
 * but for the part of a download that the next try goes on with.
 */
export async function installRelease(
  release: Release,
  {
    store,
    fetchFile,
    onInstall,
    onBytes,
  }: {
    store: ModelStore;
    fetchFile: FetchFile;
    onInstall: (ref: ModelRef) => Promise<void>;
    /** Of all files together. */
    onBytes?: (bytes: number, totalBytes: number) => void;
  },
  signal: AbortSignal,
): Promise<InstalledModel> {
  const { name, version, files } = release;
  const there = await store.find(`${name}@${version}`);
  if (there !== undefined) {
    if (await holds(there, files)) return there;
    const message = `taking a release: ${name}@${version} is installed with other files; give the release a new version`;
    throw new AgentError("RELEASE_VERSION_TAKEN", message, { disposition: "reject" });
  }
  const staged = await store.stage({ name, version });
  try {
    // The small ones first: what is wrong with them is known before the large one costs anything.
    const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    let before = 0;
    for (const file of files.toSorted((a, b) => a.bytes - b.bytes)) {
      await fetchFile(file, join(staged.folder, file.path), signal, (bytes) => onBytes?.(before + bytes, totalBytes));
      before += file.bytes;
    }
    await assertManifest(staged.folder, files);
    signal.throwIfAborted();
    await onInstall({ name, version });
    return await store.install(staged);
  } catch (error) {
    await store.discard(staged);
    throw error;
  }
}

/** One that does not name its model would be passed over. Fails with `MODEL_MANIFEST`. */
async function assertManifest(folder: string, files: readonly ReleaseFile[]): Promise<void> {
  const { manifest } = await resolveModel(join(folder, modelFileName), { modelsFolders: [] });
  if (manifest.file === modelFileName || !files.some(({ path }) => path === "model.json")) return;
  const message = `taking a release: its model.json does not say "file": "${modelFileName}"`;
  throw new AgentError("MODEL_MANIFEST", message, { disposition: "reject" });
}

/** Every file of the release, byte for byte; another version of a file, or one file more or less, is another model. */
async function holds({ folder }: InstalledModel, files: readonly ReleaseFile[]): Promise<boolean> {
  for (const path of ["model.onnx", "model.json", "golden.jpg", "golden.json"] as const) {
    const wanted = files.find((file) => file.path === path);
    const sha256 = await sha256Of(join(folder, path), wanted?.bytes);
    if (sha256 !== wanted?.sha256) return false;
  }
  return true;
}

/** Undefined where there is no such file; without reading it where its size says enough. */
async function sha256Of(file: string, bytes: number | undefined): Promise<string | undefined> {
  try {
    if ((await stat(file)).size !== bytes) return "";
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
