import { join } from "node:path";
import type { DiskBudget } from "../../src/core/disk-budget.ts";
import { asAgentError } from "../../src/core/errors.ts";
import type { ModelsHealth } from "../../src/core/health.ts";
import type { Seams } from "../../src/core/ports.ts";
import type { ClockQuality } from "../../src/core/types.ts";
import { defaultModel } from "../../src/config/sections.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { modelLimits } from "../../src/core/model-limits.ts";
import { type DownloadProgress, ModelDownloads } from "../../src/models/download.ts";
import type { InstalledModel, ModelStore } from "../../src/models/store.ts";
import { type FetchFile } from "../../src/update/install-release.ts";
import type { ModelSpecs, Prove } from "../../src/update/changeover.ts";
import { Takeover } from "../../src/update/takeover.ts";
import { ModelUpdater } from "../../src/update/updater.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import { proofError, proveModel, readGolden } from "../../src/vision/proof.ts";
import type { VisionSwitch } from "../../src/vision/switch.ts";
import type { FramepostConfig } from "../config-schema.ts";
import { withDetectorRules } from "./detector-rules.ts";
import { findModel, modelStoreOf } from "./find-model.ts";
import type { Part } from "../lifecycle.ts";

/** The model in use, as the daemon keeps it: chosen by an operator, brought by updates, sent back when it fails. */
export interface ModelKeeping {
  readonly choice: Takeover;
  readonly store: ModelStore;
  /** Absent where no origin is configured, or the config names the model. */
  readonly updater?: ModelUpdater;
  /** `detector.model` or `detector.manifest`. */
  readonly pinnedTo?: string;
  readonly health: () => ModelsHealth;
  /** After the spool, whose lock makes this process the only one, and before vision. `startWith` is for vision to ask. */
  readonly guard: Part;
  readonly startWith: () => ModelSpec | undefined;
  /** Last: when the rest runs. */
  readonly updates: Part;
}

export function modelKeepingOf(
  config: FramepostConfig,
  {
    dataFolder,
    vision,
    budget,
    clockQuality,
  }: { dataFolder: string; vision: VisionSwitch; budget: DiskBudget; clockQuality: () => ClockQuality },
  seams: Seams,
): ModelKeeping {
  const { model, manifest, updates, tiles } = config.detector;
  // Of one picture: each tile, and the whole.
  const runsPerLook = tiles === undefined ? 1 : tiles.columns * tiles.rows + 1;
  const pinnedTo = model ?? manifest;
  const store = modelStoreOf(dataFolder);
  const takeover = new Takeover(
    {
      store,
      vision,
      prove,
      specsOf: async (installed) => specsOf(installed, config.detector, dataFolder),
      runsPerLook,
      booksPath: join(dataFolder, "state", "models.json"),
      probationMs: updates?.probation ?? modelLimits.probationMs,
      ...(pinnedTo === undefined ? {} : { pinnedTo }),
    },
    seams,
  );
  const http = new HttpStream();
  const fetchFile = fetchingOf(config, { dataFolder, budget, http }, seams);
  const share = budget.share("models");
  const updater =
    updates === undefined || pinnedTo !== undefined
      ? undefined
      : new ModelUpdater(
          { store, takeover, vision, runsPerLook, http, fetchFile, share, clockQuality },
          { ...updates, everyMs: updates.every, modelBytesMax: updates.maxBytes },
          seams,
        );
  let startWith: ModelSpec | undefined;
  return {
    ...{ choice: takeover, store },
    ...(updater === undefined ? {} : { updater }),
    ...(pinnedTo === undefined ? {} : { pinnedTo }),
    health: () => modelsHealth(takeover, updater),
    guard: {
      name: "models",
      async start() {
        await sweep(store, new ModelDownloads({ folder: store.folder, http }, seams), seams);
        startWith = await takeover.guard();
      },
      stop: async () => takeover.endedWell(),
    },
    startWith: () => startWith,
    updates: {
      name: "updates",
      async start() {
        takeover.start();
        updater?.start();
      },
      async stop() {
        http.close();
        await Promise.all([updater?.stop(), takeover.stop()]);
      },
    },
  };
}

/** What a killed process has left is no reason not to start. */
async function sweep(store: ModelStore, downloads: ModelDownloads, { log }: Seams): Promise<void> {
  try {
    await store.sweep();
    await downloads.sweep();
  } catch (error) {
    const { code, message } = asAgentError(error, "removing what was left of models");
    log.warn("models.sweep", { code, error: message });
  }
}

function modelsHealth(takeover: Takeover, updater: ModelUpdater | undefined): ModelsHealth {
  const [probation, lastRollback] = [takeover.probation(), takeover.lastRollback()];
  return {
    ...(probation === undefined ? {} : { probation }),
    ...(lastRollback === undefined ? {} : { lastRollback }),
    ...(updater === undefined ? {} : { updates: updater.health() }),
  };
}

async function specsOf(
  installed: InstalledModel | undefined,
  detector: FramepostConfig["detector"],
  dataFolder: string,
): Promise<ModelSpecs> {
  const proof =
    installed === undefined
      ? await findModel(defaultModel, { dataFolder: undefined })
      : await findModel(`${installed.name}@${installed.version}`, { dataFolder });
  const use = withDetectorRules(proof, detector);
  // A golden picture is judged whole: with tiles the process that is used is another one than the one that is proven.
  return { proof, use: detector.tiles === undefined ? use : { ...use } };
}

function fetchingOf(
  { detector, spool }: FramepostConfig,
  { dataFolder, budget, http }: { dataFolder: string; budget: DiskBudget; http: HttpStream },
  seams: Seams,
): FetchFile {
  const downloads = new ModelDownloads({ folder: join(dataFolder, "models"), http }, seams);
  const share = budget.share("model downloads");
  const bytesPerSecond = detector.updates?.maxBytesPerSecond;
  return async ({ url, bytes, sha256 }, into, signal, onBytes) => {
    const request = { url, bytes, sha256, bytesMax: bytes };
    const onProgress = (progress: DownloadProgress) => onBytes?.(progress.bytes);
    const options = { signal, share, bytesPerSecond, freeBytesMin: spool.minFreeBytes, onProgress };
    await downloads.fetch(request, into, options);
  };
}

/** Its golden picture where it has one, a drawn scene where not; and the time of a run. */
const prove: Prove = async ({ vision }, { folder, runMsMax }, signal) => {
  const limits = runMsMax === undefined ? {} : { runMsMax };
  const proof = await proveModel(vision, await readGolden(folder), limits, signal);
  const error = proofError(proof);
  if (error !== undefined) throw error;
  return { runMs: proof.runMs };
};
