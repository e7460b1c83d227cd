import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { asAgentError, errnoOf } from "../../src/core/errors.ts";
import { scanJpeg } from "../../src/core/jpeg.ts";
import { captureLimits } from "../../src/core/capture-limits.ts";
import { pullLimits } from "../../src/core/deliver-limits.ts";
import { patiently, type PullSeams } from "./patience.ts";
import type { SourceImage } from "./source.ts";

/**
 * What became of one picture. `missing`: the platform has it, this disk does not (`isPictures`: which says nothing about
 * the others); `unusable`: it is nothing to learn from.
 */
export type Pulled =
  | { readonly kind: "there"; readonly width: number; readonly height: number; readonly fetched: boolean }
  | Missing
  | { readonly kind: "unusable"; readonly why: string };

interface Missing {
  readonly kind: "missing";
  readonly why: string;
  readonly isPictures?: true;
}

export interface WantedFile {
  readonly image: SourceImage;
  readonly name: string;
}

/**
 * Brings pictures into a folder, a few at a time. What lies there is whole: a picture gets its name only once all of it
 * is on the disk, and one that is there whole is not fetched again, so that a download may be broken off at any time.
 * A platform that has failed several times in a row is left alone, and so is one that has none of many pictures: then it
 * is the address that is wrong. Fails when the disk does, and when it is stopped.
 */
export async function downloadAll(
  folder: string,
  wanted: readonly WantedFile[],
  onDone: (done: number) => void,
  seams: PullSeams,
  signal: AbortSignal,
): Promise<readonly Pulled[]> {
  const results: Pulled[] = [];
  let next = 0;
  let done = 0;
  let failuresInARow = 0;
  let got = 0;
  let gone = 0;
  let lastFailure = "";
  let failed = false;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < wanted.length && !failed; at = next++) {
      const file = wanted[at];
      if (file === undefined) return;
      signal.throwIfAborted();
      const path = join(folder, file.name);
      const kept = await lookAt(path);
      const away =
        failuresInARow >= pullLimits.failuresInARowMax || (got === 0 && gone >= pullLimits.goneBeforeFirstMax);
      const pulled =
        kept ?? (away ? missing(`not tried after: ${lastFailure}`) : await download(file.image, path, seams, signal));
      if (pulled.kind !== "missing") {
        got += 1;
        if (kept === undefined) failuresInARow = 0;
      } else if (!away) {
        if (pulled.isPictures === true) gone += 1;
        else failuresInARow += 1;
        lastFailure = pulled.why;
      }
      results[at] = pulled;
      onDone((done += 1));
    }
  };
  const noteFailure = (error: unknown): never => {
    failed = true;
    throw error;
  };
  const lanes = await Promise.allSettled(Array.from({ length: pullLimits.lanes }, () => lane().catch(noteFailure)));
  for (const ended of lanes) if (ended.status === "rejected") throw ended.reason;
  return results;
}

async function download(image: SourceImage, path: string, seams: PullSeams, signal: AbortSignal): Promise<Pulled> {
  let bytes: Buffer;
  try {
    bytes = await patiently(() => image.fetch(signal), seams, signal);
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asAgentError(error, `fetching ${image.id}`);
    return { ...missing(message), ...(ofPicture.has(code) ? { isPictures: true } : {}) };
  }
  const pulled = judged(bytes, true);
  if (pulled.kind === "there") await writeWhole(path, bytes);
  return pulled;
}

/** Undefined where nothing usable lies, which then is fetched. */
async function lookAt(path: string): Promise<Pulled | undefined> {
  try {
    if ((await stat(path)).size > captureLimits.jpegBytesMax) return undefined;
    const pulled = judged(await readFile(path), false);
    return pulled.kind === "there" ? pulled : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * A picture that is turned by its EXIF data is left out: whether the labels were drawn before or after the turning, and
 * which of the two a training program will see, nobody can tell.
 */
function judged(bytes: Buffer, wasFetched: boolean): Pulled {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return { kind: "unusable", why: "it is no JPEG" };
  const scan = scanJpeg(bytes);
  if (scan.kind === "damaged") return { ...missing(`what came is no whole JPEG: ${scan.why}`), isPictures: true };
  const { width, height, orientation } = scan.facts;
  if (orientation !== 1) return { kind: "unusable", why: "its EXIF data turns it" };
  return { kind: "there", width, height, fetched: wasFetched };
}

/** Somebody removed it; or its name is not to be found, or not clear. */
const ofPicture: ReadonlySet<string> = new Set(["HTTP_404", "HTTP_410", "PULL_NO_IMAGE"]);

function missing(why: string): Missing {
  return { kind: "missing", why };
}

async function writeWhole(path: string, bytes: Buffer): Promise<void> {
  const part = `${path}.part`;
  try {
    const file = await open(part, "w");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  }
}
