import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { AgentError } from "../../src/core/errors.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Seams } from "../../src/core/ports.ts";
import { HttpStream } from "../../src/link/http-stream.ts";
import { createLogger } from "../../src/log/logger.ts";
import { ModelDownloads } from "../../src/models/download.ts";
import type { InstalledModel, ModelStore } from "../../src/models/store.ts";
import type { CommandContext } from "../context.ts";
import { fileProblem } from "../files.ts";
import { modelStoreOf } from "./find-model.ts";
import { actAsOwnerOf } from "../owner.ts";
import { loadSettings } from "../settings.ts";

/** Where models are installed, and what the config says of them. */
export interface ModelsPlace {
  readonly dataFolder: string;
  readonly store: ModelStore;
  /** `detector.model` of the config: while it stands there, the links of the store have no effect. */
  readonly pinned: string | undefined;
  /** The model that is only compared. */
  readonly shadow: string | undefined;
  /** So many bytes of the disk stay free. */
  readonly freeBytesMin: number;
  readonly seams: Seams;
}

/** By the config; on a machine without one, `--data` is enough. */
export async function modelsPlace(context: CommandContext): Promise<ModelsPlace> {
  const { clock, random, logLevel } = context;
  try {
    const { config, dataFolder, log } = await loadSettings(context);
    return {
      dataFolder,
      store: modelStoreOf(dataFolder),
      pinned: config.detector.model,
      shadow: config.detector.shadow?.model,
      freeBytesMin: config.spool.minFreeBytes,
      seams: { clock, random, log },
    };
  } catch (error) {
    const isWithout = error instanceof AgentError && error.code === "CONFIG_NOT_FOUND";
    if (!isWithout || context.dataFolder === undefined || context.configFile !== undefined) throw error;
    const dataFolder = resolve(context.dataFolder);
    return {
      dataFolder,
      store: modelStoreOf(dataFolder),
      pinned: undefined,
      shadow: undefined,
      freeBytesMin: spoolLimits.defaultFreeBytesMin,
      seams: { clock, random, log: createLogger({ level: logLevel ?? "error", secrets: [], journald: false }) },
    };
  }
}

/** For commands that change something: from here on the process acts as the data folder's owner. */
export async function ownModels({ dataFolder }: ModelsPlace): Promise<void> {
  try {
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AgentError("DATA_FOLDER", `cannot use the data folder ${dataFolder}: ${fileProblem(error)}`, {
      disposition: "fatal",
      cause: error,
    });
  }
  await actAsOwnerOf(dataFolder);
}

export function downloadsOf({ store, seams }: ModelsPlace, http: HttpStream): ModelDownloads {
  return new ModelDownloads({ folder: store.folder, http }, seams);
}

/** `NAME@VERSION`, or `NAME` for the version installed last. Fails with `MODEL_NOT_FOUND`, naming what there is. */
export async function installedModel({ store }: ModelsPlace, reference: string): Promise<InstalledModel> {
  const model = reference.includes("@") ? await store.find(reference) : await store.newest(reference);
  if (model !== undefined) return model;
  const names = (await store.list()).map(({ name, version }) => `${name}@${version}`);
  const there = names.length === 0 ? "none is" : `there are ${names.slice(0, 20).join(", ")}`;
  throw new AgentError("MODEL_NOT_INSTALLED", `no model ${reference} is installed; ${there}`, {
    disposition: "reject",
  });
}
