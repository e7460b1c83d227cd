import { resolve } from "node:path";
import { AgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import { createLogger } from "../../src/log/logger.ts";
import { VisionProcess, type VisionOptions } from "../../src/vision/client.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import type { CommandContext } from "../context.ts";
import { findModel } from "./find-model.ts";
import { loadSettings } from "../settings.ts";

/** What the words after `models verify`, `models bench` and `detect --model` stand for. */

export interface ChosenModel {
  /** As a person named it; the model's name where nobody did. */
  readonly reference: string;
  readonly find: () => Promise<ModelSpec>;
}

export interface Choice {
  readonly models: readonly ChosenModel[];
  /** Undefined without a config and `--data`: then no model is installed. */
  readonly dataFolder: string | undefined;
}

/** Without references: the model that the daemon of this config would take. A manifest goes above that of any. */
export async function chooseModels(
  context: CommandContext,
  references: readonly string[],
  ownManifest?: string,
): Promise<Choice> {
  const { dataFolder, model, manifest: configured } = await placeOf(context);
  if (references.length > 0) {
    const given = ownManifest === undefined ? {} : { manifest: ownManifest };
    const find = (reference: string) => async () => findModel(reference, { dataFolder, ...given });
    return { models: references.map((reference) => ({ reference, find: find(reference) })), dataFolder };
  }
  const manifest = ownManifest ?? configured;
  const find = () => findModel(model, { dataFolder, ...(manifest === undefined ? {} : { manifest }) });
  return { models: [{ reference: model ?? "the model in use", find }], dataFolder };
}

interface Place {
  readonly dataFolder: string | undefined;
  readonly model?: string;
  readonly manifest?: string;
}

/** A machine without a config can still try files. */
async function placeOf(context: CommandContext): Promise<Place> {
  try {
    const { config, dataFolder } = await loadSettings(context);
    const { model, manifest } = config.detector;
    return {
      dataFolder,
      ...(model === undefined ? {} : { model }),
      ...(manifest === undefined ? {} : { manifest }),
    };
  } catch (error) {
    const isWithout = error instanceof AgentError && error.code === "CONFIG_NOT_FOUND";
    if (!isWithout || context.configFile !== undefined) throw error;
    return { dataFolder: context.dataFolder === undefined ? undefined : resolve(context.dataFolder) };
  }
}

/** Not started. */
export function visionFor(context: CommandContext, options: VisionOptions): VisionProcess {
  const { clock, random, logLevel } = context;
  const log = createLogger({ level: logLevel ?? "silent", secrets: [], journald: false });
  const seams: Seams = { clock, random, log };
  return new VisionProcess(options, seams);
}
