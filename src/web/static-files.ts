import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { AgentError, errnoOf } from "../core/errors.ts";
import { webLimits } from "../core/web-limits.ts";

export interface StaticFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
};

/**
 * The files of a folder by their names, kept in memory: a request is looked up among them, so that no path of a stranger
 * ever reaches the disk. Empty where the folder does not exist.
 */
export async function readStaticFiles(folder: string): Promise<ReadonlyMap<string, StaticFile>> {
  const files = new Map<string, StaticFile>();
  for (const name of await namesIn(folder)) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const path = join(folder, name);
    const tooLarge = (await stat(path)).size > webLimits.staticFileBytesMax;
    if (tooLarge || files.size >= webLimits.staticFilesMax) {
      throw new AgentError("WEB_FILES", `${path} is too large, or one too many`, { disposition: "fatal" });
    }
    const bytes = new Uint8Array(await readFile(path));
    files.set(name, { bytes, type, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` });
  }
  return files;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}
