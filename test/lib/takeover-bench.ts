import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DownloadProgress, ModelDownloads } from "../../src/models/download.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { DiskShare } from "../../src/core/disk-budget.ts";
import type { Seams } from "../../src/core/ports.ts";
import type { ClockQuality } from "../../src/core/types.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { type InstalledModel, modelFileName, ModelStore } from "../../src/models/store.ts";
import type { FetchFile } from "../../src/update/install-release.ts";
import type { ModelSpecs, Prove } from "../../src/update/changeover.ts";
import { Takeover, type TakeoverParts } from "../../src/update/takeover.ts";
import { ModelUpdater, type UpdaterOptions } from "../../src/update/updater.ts";
import { goldenOf, goldenText } from "../../src/vision/golden.ts";
import { resolveModel } from "../../src/vision/model.ts";
import { proofError, proveModel, readGolden } from "../../src/vision/proof.ts";
import type { VisionSwitch } from "../../src/vision/switch.ts";
import { VisionProcess } from "../../src/vision/client.ts";
import { RecordingLogger } from "./seams.ts";
import { never, tinyModel } from "./vision.ts";

/** The choice of a model and its updates as the daemon puts them together, over a folder of a test. */

export interface KeepingOptions {
  readonly folder: string;
  readonly vision: TakeoverParts["vision"];
  readonly seams: Seams;
  readonly probationMs?: number;
  readonly limits?: TakeoverParts["limits"];
  readonly pinnedTo?: string;
  readonly prove?: Prove;
}

export function takeoverOf({ folder, vision, seams, prove = realProof, ...options }: KeepingOptions): {
  readonly store: ModelStore;
  readonly takeover: Takeover;
} {
  const store = new ModelStore(join(folder, "models"));
  const { probationMs = 60_000, limits, pinnedTo } = options;
  const parts = { store, vision, specsOf, prove, probationMs, booksPath: join(folder, "state", "models.json") };
  const more = { ...(limits && { limits }), ...(pinnedTo === undefined ? {} : { pinnedTo }) };
  return { store, takeover: new Takeover({ ...parts, ...more }, seams) };
}

export function updaterOf(
  { store, takeover }: { readonly store: ModelStore; readonly takeover: Takeover },
  {
    vision,
    seams,
    clockQuality = () => "unknown",
    ...options
  }: Pick<UpdaterOptions, "url" | "publicKey"> & {
    readonly vision: Pick<VisionSwitch, "runMs">;
    readonly seams: Seams;
    readonly clockQuality?: () => ClockQuality;
    readonly everyMs?: number;
    readonly limits?: UpdaterOptions["limits"];
  },
): ModelUpdater {
  const http = new HttpStream();
  const downloads = new ModelDownloads(
    { folder: store.folder, http, limits: { downloadBackoffFirstMs: 5, downloadBackoffMaxMs: 20 } },
    seams,
  );
  const fetchFile: FetchFile = async ({ url, bytes, sha256 }, into, signal, onBytes) => {
    const onProgress = (progress: DownloadProgress) => onBytes?.(progress.bytes);
    await downloads.fetch({ url, bytes, sha256, bytesMax: bytes }, into, { signal, freeBytesMin: 0, onProgress });
  };
  const parts = { store, takeover, vision, http, fetchFile, clockQuality, share: roomy };
  const { everyMs = 60_000, limits, url, publicKey } = options;
  return new ModelUpdater(
    parts,
    { url, publicKey, everyMs, modelBytesMax: 1_000_000, ...(limits && { limits }) },
    seams,
  );
}

const roomy: DiskShare = { uses: () => undefined, mayGrow: () => true };

/** As the daemon proves a model. */
export const realProof: Prove = async ({ vision }, { folder, runMsMax }, signal) => {
  const limits = runMsMax === undefined ? {} : { runMsMax };
  const proof = await proveModel(vision, await readGolden(folder), limits, signal);
  const error = proofError(proof);
  if (error !== undefined) throw error;
  return { runMs: proof.runMs };
};

async function specsOf(installed: InstalledModel | undefined): Promise<ModelSpecs> {
  if (installed === undefined) {
    const shipped = await tinyModel();
    return { proof: shipped, use: shipped };
  }
  const found = await resolveModel(installed.file, { modelsFolders: [] });
  const spec = { ...found, name: `${installed.name}@${installed.version}` };
  return { proof: spec, use: spec };
}

/** What a version folder of a tiny model holds, with what it finds on this picture. */
export async function releaseFiles(tiny: string, picture: Buffer): Promise<Record<string, Buffer>> {
  const model = await tinyModel(tiny);
  const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
  const vision = new VisionProcess({ model, threads: 1 }, seams);
  try {
    await vision.start(never);
    const { detections, model: info } = await vision.detect(picture, { exact: true }, never);
    return {
      [modelFileName]: await readFile(model.file),
      "golden.jpg": picture,
      "golden.json": Buffer.from(goldenText(goldenOf(picture, detections, info.threshold))),
    };
  } finally {
    await vision.stop();
  }
}
