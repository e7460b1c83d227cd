import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { scratchPlaces } from "../src/capture/webcam/scratch.ts";
import { DiskBudget, type DiskShare, othersBytesMax } from "../src/core/disk-budget.ts";
import { errnoOf } from "../src/core/errors.ts";
import { captureLimits } from "../src/core/capture-limits.ts";
import type { FramepostConfig, TargetConfig } from "./config-schema.ts";
import { exists } from "./files.ts";

type FolderTargetConfig = Extract<TargetConfig, { kind: "folder" }>;

/** The one budget of the data folder's disk, with what can be known of it before anything has started. */
export async function diskBudgetOf(config: FramepostConfig, dataFolder: string): Promise<DiskBudget> {
  const budget = new DiskBudget(config.spool.maxBytes);
  const webcams = config.cameras.filter(({ driver }) => driver === "webcam").length;
  if (webcams > 0 && (await keepsPicturesOn(dataFolder))) {
    budget.share("pictures being taken").uses(webcams * captureLimits.scratchBytes);
  }
  return budget;
}

/** Undefined where the data set lies on a disk of its own. */
export async function shareOf(
  budget: DiskBudget,
  { id, path }: FolderTargetConfig,
  dataFolder: string,
): Promise<DiskShare | undefined> {
  return (await onSameDisk(path, dataFolder)) ? budget.share(`target ${id}`) : undefined;
}

/** Data sets that can never become as large as the config says. */
export async function budgetWarnings(config: FramepostConfig, dataFolder: string): Promise<readonly string[]> {
  const sets: FolderTargetConfig[] = [];
  for (const target of config.targets) {
    if (target.kind === "folder" && (await onSameDisk(target.path, dataFolder))) sets.push(target);
  }
  const wanted = sets.reduce((sum, { maxBytes }) => sum + maxBytes, 0);
  const allowed = othersBytesMax(config.spool.maxBytes);
  if (wanted <= allowed) return [];
  const ids = sets.map(({ id }) => id).join(", ");
  return [
    `${ids}: maxBytes allows ${megabytes(wanted)} MB, but spool.maxBytes leaves data sets on its disk ${megabytes(allowed)} MB; raise it or lower theirs`,
  ];
}

/** Pictures lie in memory where there is a place for them. */
async function keepsPicturesOn(dataFolder: string): Promise<boolean> {
  for (const place of scratchPlaces(process.env, tmpdir())) {
    if (await exists(place)) return await onSameDisk(place, dataFolder);
  }
  return false;
}

/** Of what does not exist yet: where it would be made. */
async function onSameDisk(path: string, other: string): Promise<boolean> {
  return (await deviceOf(path)) === (await deviceOf(other));
}

async function deviceOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).dev;
  } catch (error) {
    return errnoOf(error) === "ENOENT" && dirname(path) !== path ? await deviceOf(dirname(path)) : undefined;
  }
}

function megabytes(bytes: number): number {
  return Math.floor(bytes / 1_048_576);
}
