import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../core/errors.ts";

/** Where files lie that are no pictures, in the watched folder itself. */
export const rejectedFolder = "rejected";

/** Uploaders write to `.name`, `name.part` or `name.tmp` and rename: none of these ends in .jpg without a leading dot. */
export function isPictureName(name: string): boolean {
  return !name.startsWith(".") && /\.jpe?g$/i.test(name);
}

export interface WalkBounds {
  readonly recursive: boolean;
  readonly filesMax: number;
  readonly foldersMax: number;
  readonly depthMax: number;
}

/** Paths are relative to the folder that was walked. */
export interface Walked {
  readonly pictures: string[];
  /** Below it, parents before children. */
  readonly folders: string[];
  readonly empty: string[];
  readonly unreadable: { readonly folder: string; readonly error: unknown }[];
}

/**
 * Names of pictures in a folder and, where wanted, below it. Folders whose names begin with a dot are private, links are
 * never followed, and nothing is looked at beyond the bounds. Fails when the folder itself cannot be read.
 */
export async function walk(path: string, bounds: WalkBounds, signal?: AbortSignal): Promise<Walked> {
  const found: Walked = { pictures: [], folders: [], empty: [], unreadable: [] };
  let level = [""];
  for (let depth = 0; level.length > 0; depth += 1) {
    const below: string[] = [];
    for (const folder of level.sort()) {
      const inside = depth < bounds.depthMax && bounds.recursive ? below : undefined;
      try {
        await list(path, folder, found, inside, bounds, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (folder === "") throw error;
        if (errnoOf(error) !== "ENOENT") found.unreadable.push({ folder, error });
      }
    }
    found.folders.push(...below);
    level = below;
  }
  return found;
}

async function list(
  path: string,
  folder: string,
  found: Walked,
  below: string[] | undefined,
  { filesMax, foldersMax }: WalkBounds,
  signal: AbortSignal | undefined,
): Promise<void> {
  let entries = 0;
  for await (const entry of await opendir(join(path, folder))) {
    signal?.throwIfAborted();
    entries += 1;
    const name = join(folder, entry.name);
    if (entry.isDirectory()) {
      const hidden = entry.name.startsWith(".") || name === rejectedFolder;
      const known = found.folders.length + (below?.length ?? 0);
      if (!hidden && known < foldersMax) below?.push(name);
    } else if (isPictureName(entry.name) && found.pictures.length < filesMax) {
      found.pictures.push(name);
    }
  }
  if (entries === 0 && folder !== "") found.empty.push(folder);
}
