import { createHash } from "node:crypto";
import { type FileHandle, open, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { AgentError, asAgentError, isForWantOfRoom, messageOf } from "../../src/core/errors.ts";
import { modelLimits } from "../../src/core/model-limits.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { shownUrl } from "../../src/link/http-errors.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { inCatalog } from "../../src/models/catalog.ts";
import type { Downloaded, DownloadOptions, DownloadRequest } from "../../src/models/download.ts";
import { readManifest } from "../../src/vision/model.ts";
import { exists, fileProblem } from "../files.ts";
import { downloadsOf, type ModelsPlace } from "./models-place.ts";
import { sizeText } from "../terminal.ts";

/** Where a model comes from that somebody wants to have installed. */
export interface ModelSource {
  readonly name: string;
  /** Undefined where the content alone tells. */
  readonly version: string | undefined;
  /** For the manifest and a person: no user, no query. */
  readonly shown: string;
  /** A checksum vouches for the content. */
  readonly isVouchedFor: boolean;
  readonly manifest: Readonly<Record<string, unknown>>;
  /** Writes the ONNX file. */
  readonly fill: (place: ModelsPlace, file: string, world: FillWorld) => Promise<Downloaded>;
  readonly close: () => Promise<void>;
}

interface FillWorld {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
  readonly onTrouble: NonNullable<DownloadOptions["onTrouble"]>;
}

interface SourceOptions {
  readonly manifest?: string;
  readonly sha256?: string;
}

/** `what` is a name of the catalog, an address, or a file. What is a file is open when this resolves. */
export async function modelSource(what: string, options: SourceOptions): Promise<ModelSource> {
  const given = options.manifest === undefined ? undefined : await manifestAt(options.manifest);
  const fromCatalog = inCatalog(what);
  if (fromCatalog !== undefined && (options.sha256 ?? fromCatalog.sha256) === fromCatalog.sha256) {
    const { name, version, url, sha256, bytes, manifest } = fromCatalog;
    const request = { url, sha256, bytes, bytesMax: bytes };
    return {
      name,
      version,
      shown: url,
      isVouchedFor: true,
      manifest: given ?? manifest,
      fill: filledBy(request),
      close,
    };
  }
  if (/^https?:\/\//i.test(what)) {
    const { sha256 } = options;
    const request = { url: what, ...(sha256 === undefined ? {} : { sha256 }), bytesMax: bytesMax() };
    const name = nameIn(URL.canParse(what) ? decoded(new URL(what).pathname) : what);
    const isVouchedFor = sha256 !== undefined;
    const shown = shownUrl(what);
    return { name, version: undefined, shown, isVouchedFor, manifest: given ?? {}, fill: filledBy(request), close };
  }
  if (!(await exists(what))) {
    throw new AgentError("MODEL_NOT_FOUND", `no model ${what}: no name of the catalog, and no file here`, {
      disposition: "reject",
    });
  }
  const file = await openModel(what);
  const manifest = given ?? (await readManifest(`${what}.json`)) ?? {};
  return {
    name: nameIn(what),
    version: undefined,
    shown: basename(what),
    isVouchedFor: true,
    manifest,
    fill: async ({ freeBytesMin }, into, world) => {
      await mustHaveRoom(dirname(into), (await file.stat()).size, freeBytesMin);
      return await copied(file, what, into, options.sha256, world);
    },
    close: async () => await file.close(),
  };
}

/** An address holds nothing open. */
const close = async (): Promise<void> => undefined;

function filledBy(request: DownloadRequest): ModelSource["fill"] {
  return async (place, into, { signal, onProgress, onTrouble }) => {
    const http = new HttpStream();
    try {
      return await downloadsOf(place, http).fetch(request, into, {
        signal,
        freeBytesMin: place.freeBytesMin,
        onProgress: ({ bytes, totalBytes }) => onProgress(bytes, totalBytes),
        onTrouble,
      });
    } catch (error) {
      const failure = asAgentError(error, `the download of ${shownUrl(request.url)}`);
      if (failure.code.startsWith("MODEL_") || failure.code === "ABORTED") throw failure;
      throw new AgentError("MODEL_DOWNLOAD", `${failure.message} (${failure.code})`, {
        disposition: failure.disposition,
        cause: failure,
      });
    } finally {
      http.close();
    }
  };
}

/** As a download has it. */
async function mustHaveRoom(folder: string, wanted: number, freeBytesMin: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free - wanted >= freeBytesMin) return;
  const left = `${sizeText(free)} are free, and ${sizeText(freeBytesMin)} have to stay so`;
  throw new AgentError("MODEL_NO_ROOM", `no room for ${sizeText(wanted)} of a model: ${left}`, {
    disposition: "retry",
  });
}

async function copied(
  from: FileHandle,
  what: string,
  into: string,
  expected: string | undefined,
  { signal, onProgress }: FillWorld,
): Promise<Downloaded> {
  const hash = createHash("sha256");
  const to = await open(into, "wx", 0o640);
  let bytes = 0;
  try {
    const { size } = await from.stat();
    for await (const chunk of from.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })) {
      signal.throwIfAborted();
      hash.update(chunk as Buffer);
      await to.writeFile(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      onProgress(bytes, size);
    }
    await to.sync();
  } catch (error) {
    signal.throwIfAborted();
    const isFull = isForWantOfRoom(error);
    throw new AgentError(isFull ? "MODEL_NO_ROOM" : "MODEL_STORE", `copying ${what}: ${fileProblem(error)}`, {
      disposition: isFull ? "retry" : "fatal",
      cause: error,
    });
  } finally {
    await to.close();
  }
  const sha256 = hash.digest("hex");
  if (expected === undefined || expected === sha256) return { sha256, bytes };
  throw new AgentError("MODEL_CHECKSUM", `${what} has sha256 ${sha256}, expected ${expected}`, {
    disposition: "reject",
  });
}

async function openModel(path: string): Promise<FileHandle> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw new AgentError("USAGE_PATH", `cannot read ${path}: ${fileProblem(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  });
  const about = await file.stat();
  if (about.isFile() && about.size > 0 && about.size <= bytesMax()) return file;
  await file.close();
  const why = !about.isFile() ? "it is no file" : about.size === 0 ? "it is empty" : `it has ${about.size} bytes`;
  throw new AgentError(about.size > bytesMax() ? "MODEL_TOO_LARGE" : "USAGE_PATH", `cannot take ${path}: ${why}`, {
    disposition: "reject",
  });
}

async function manifestAt(path: string): Promise<Readonly<Record<string, unknown>>> {
  const manifest = await readManifest(path);
  if (manifest !== undefined) return manifest;
  throw new AgentError("MODEL_MANIFEST", `no manifest ${path}`, { disposition: "fatal" });
}

/** Larger ones could be fetched, but not loaded. */
function bytesMax(): number {
  return Math.min(modelLimits.bytesMax, visionLimits.modelBytesMax);
}

/** The file's name without its ending; what may not be in a name becomes a dash. */
function nameIn(path: string): string {
  const name = basename(path).replace(/\.onnx$/i, "");
  return name.replaceAll(/[^\w.-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new AgentError("USAGE_URL", `not an address: ${messageOf(error)}`, { disposition: "fatal" });
  }
}
