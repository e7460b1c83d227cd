import { AgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { InstalledModel } from "../../src/models/store.ts";
import type { CommandCall } from "../../src/remote/command.ts";
import type { ModelPort } from "../../src/remote/commands/model.ts";
import type { ModelUpdater, UpdateStage } from "../../src/update/updater.ts";
import type { Agent } from "../compose.ts";

/** The models of a running agent. */
export function modelPort(
  agent: Pick<Agent, "models"> & { readonly vision: Pick<Agent["vision"], "model"> },
  clock: Clock,
): ModelPort {
  const { choice, store, updater, pinnedTo, health } = agent.models;
  return {
    async list() {
      const [current, previous, installed] = [await store.current(), await store.previous(), await store.list()];
      const stateOf = (model: InstalledModel): string | undefined =>
        isSame(model, current) ? "current" : isSame(model, previous) ? "previous" : undefined;
      const inUse = agent.vision.model()?.name;
      return {
        ...(inUse === undefined ? {} : { inUse }),
        ...(pinnedTo === undefined ? {} : { pinnedTo }),
        models: installed.slice(0, remoteLimits.modelsListedMax).map((model) => {
          const state = stateOf(model);
          return { model: label(model), bytes: model.bytes, ...(state === undefined ? {} : { state }) };
        }),
        ...(installed.length > remoteLimits.modelsListedMax ? { installed: installed.length } : {}),
        ...health(),
      };
    },

    async fetch({ dry, signal, progress }) {
      const origin = originOf(updater, pinnedTo);
      if (dry) return await wouldFetch(origin, signal);
      const checked = await origin.checkNow(signal, pacedBy(clock, progress));
      const { kind, ...rest } = checked;
      return kind === "later" ? { found: "later", ...rest } : rest;
    },

    select: async (model, { dry }) => (dry ? await choice.wouldUse(model) : await choice.use(model)),
    rollback: async ({ dry }) => (dry ? await choice.wouldRollBack() : await choice.rollback()),
  };
}

/** A release comes from where the config says, and from nowhere else. */
function originOf(updater: ModelUpdater | undefined, pinnedTo: string | undefined): ModelUpdater {
  if (updater !== undefined) return updater;
  if (pinnedTo !== undefined) {
    const message = `the config names the model (${pinnedTo}); take that line out, or no release can be taken`;
    throw new AgentError("MODEL_PINNED", message, { disposition: "reject" });
  }
  const message = "the config names no place that releases come from (detector.updates)";
  throw new AgentError("MODEL_NO_ORIGIN", message, { disposition: "reject" });
}

async function wouldFetch(origin: ModelUpdater, signal: AbortSignal): Promise<object> {
  const { release, verdict } = await origin.peek(signal);
  const { sequence, files } = release;
  const { kind, ...rest } = verdict;
  return {
    found: kind,
    model: label(release),
    sequence,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    ...rest,
  };
}

/** Every stage is told, and of a long download where it is every few seconds. */
function pacedBy(clock: Clock, progress: CommandCall["progress"]): (stage: UpdateStage) => void {
  let told: { readonly stage: string; readonly atMs: number } | undefined;
  return (stage) => {
    const nowMs = clock.monotonicMs();
    if (told?.stage === stage.stage && nowMs - told.atMs < remoteLimits.progressEveryMs) return;
    told = { stage: stage.stage, atMs: nowMs };
    progress(stage);
  };
}

function label({ name, version }: { readonly name: string; readonly version: string }): string {
  return `${name}@${version}`;
}

function isSame(a: InstalledModel, b: InstalledModel | undefined): boolean {
  return a.name === b?.name && a.version === b.version;
}
