import { open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";

/** The spool's files of one line: its version and its id. */

/** Undefined where there is none, and for what cannot be such a file: a folder, or something long. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    return size > spoolLimits.smallFileBytesMax ? undefined : await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EISDIR") return undefined;
    throw error;
  }
}

/** The file is the old one or the new one after a power cut, never a part. A folder in its place becomes `<path>.bad`. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await writeFile(temporary, text, { flush: true });
  if (await isFolder(path)) {
    await rm(`${path}.bad`, { recursive: true, force: true });
    await rename(path, `${path}.bad`);
  }
  await rename(temporary, path);
  await flush(dirname(path));
}

export async function flush(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
