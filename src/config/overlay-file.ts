import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AgentError, messageOf } from "../core/errors.ts";
import { configLimits } from "../core/limits.ts";
import { currentVersion, migrated, migrations, type Migration } from "./migrations.ts";
import { isFields, unnamedList, type Fields } from "./overlay.ts";
import type { ConfigProblem } from "./problem.ts";
import { readTextFile } from "./text-file.ts";
import { writeYaml, YamlSource } from "./yaml.ts";

/** `config.overlay.yaml` in the data folder: what remote commands changed, above the operator's file. */

export interface Overlay {
  /** Counts every change of the config, those of the operator's file too, and never goes back. */
  readonly revision: number;
  /** Of the operator's file that it was last seen with. */
  readonly fileDigest: string;
  /** A merge patch, with cameras and targets as objects by their id. */
  readonly changes: Fields;
  /** What was there before the last change. */
  readonly previous?: Fields;
  /** During a trial: what `previous` is again when it is reverted. */
  readonly earlier?: Fields;
  readonly lastChange?: OverlayChange;
}

export interface OverlayChange {
  /** Who waits for its outcome; absent where nobody can ask again. */
  readonly request?: string;
  readonly revision: number;
  /** JSON pointers of what it changed. */
  readonly paths: readonly string[];
  /** A trial that a start finds was cut short by a crash or a power cut, and is taken back. */
  readonly state: "trial" | "kept" | "reverted";
  /** Why it was reverted. */
  readonly reason?: string;
}

export type OverlayFile =
  | { readonly kind: "none" }
  | { readonly kind: "overlay"; readonly overlay: Overlay; readonly source: YamlSource }
  /** Damaged, or no overlay at all. */
  | { readonly kind: "unusable"; readonly problem: ConfigProblem; readonly text: string };

export const noOverlay: Overlay = { revision: 0, fileDigest: "", changes: {} };

export function overlayPathOf(dataFolder: string): string {
  return join(dataFolder, "config.overlay.yaml");
}

export function digestOfFile(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

/** Never fails: what cannot be read is no reason not to start. */
export async function readOverlay(path: string, steps: readonly Migration[] = migrations): Promise<OverlayFile> {
  const file = await readTextFile(path, configLimits.overlayBytesMax);
  const text = file.kind === "failed" ? "" : file.text;
  const unusable = (message: string, at = { line: 1, column: 1 }) =>
    ({ kind: "unusable", problem: { file: path, ...at, path: "", message }, text }) as const;
  if (file.kind === "failed") {
    return file.absent === true ? { kind: "none" } : unusable(`cannot be read: ${file.reason}`);
  }
  const source = new YamlSource(file.text, { keepNull: true });
  const [mistake] = source.problems;
  if (mistake !== undefined) return unusable(mistake.message, { line: mistake.line, column: mistake.column });
  const overlay = parseOverlay(source.value, steps);
  return overlay === undefined ? unusable("it is no overlay") : { kind: "overlay", overlay, source };
}

/** Resolves when it survives a power cut. Fails with `CONFIG_PATCH_TOO_LARGE` or `STATE_UNWRITABLE`. */
export async function writeOverlay(path: string, overlay: Overlay): Promise<void> {
  const { revision, fileDigest, changes, previous, earlier, lastChange } = overlay;
  // What a person looks for stands first.
  const text = `${heading}${writeYaml({ revision, changes, previous, earlier, lastChange, fileDigest, form: currentVersion() })}`;
  if (Buffer.byteLength(text) > configLimits.overlayBytesMax) {
    const message = `the overlay would take more than ${configLimits.overlayBytesMax / 1024} KB`;
    throw new AgentError("CONFIG_PATCH_TOO_LARGE", message, { disposition: "reject" });
  }
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFlushed(temporary, text);
    await rename(temporary, path);
    await flushFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new AgentError("STATE_UNWRITABLE", `write ${path}: ${messageOf(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

/** Out of the way, for a person to look at. */
export async function setOverlayAside(path: string): Promise<string> {
  const aside = `${path}.set-aside`;
  await rename(path, aside);
  await flushFolder(dirname(path));
  return aside;
}

const heading =
  "# What remote commands changed, above the config file; null takes away what that file sets. Written by Framepost.\n" +
  "# Delete this file to go back to the config file alone.\n";

async function writeFlushed(path: string, text: string): Promise<void> {
  // It may hold credentials.
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function parseOverlay(value: unknown, steps: readonly Migration[]): Overlay | undefined {
  if (!isFields(value)) return undefined;
  const { revision, fileDigest, lastChange, form = 1 } = value;
  const [changes, previous, earlier] = [value["changes"], value["previous"], value["earlier"]].map((patch) =>
    isFields(patch) ? inThisForm(patch, form, steps) : patch,
  );
  if (!Number.isSafeInteger(revision) || Number(revision) < 0 || typeof fileDigest !== "string") return undefined;
  if (!isFields(changes) || unnamedList(changes) !== undefined) return undefined;
  const change = parseChange(lastChange);
  return {
    ...{ revision: Number(revision), fileDigest, changes },
    ...(isFields(previous) ? { previous } : {}),
    ...(isFields(earlier) ? { earlier } : {}),
    ...(change === undefined ? {} : { lastChange: change }),
  };
}

/** As the operator's file: the patches are of the version that was there when they were made. */
function inThisForm(patch: Fields, form: unknown, steps: readonly Migration[]): Fields {
  const read = migrated({ ...patch, version: form }, steps);
  if (read.kind !== "migrated") return patch;
  return Object.fromEntries(Object.entries(read.document).filter(([key]) => key !== "version"));
}

function parseChange(value: unknown): OverlayChange | undefined {
  if (!isFields(value)) return undefined;
  const { request, revision, paths, state, reason } = value;
  if (state !== "trial" && state !== "kept" && state !== "reverted") return undefined;
  return {
    state,
    revision: Number(revision),
    paths: Array.isArray(paths) ? paths.map(String) : [],
    ...(typeof request === "string" ? { request } : {}),
    ...(typeof reason === "string" ? { reason } : {}),
  };
}
