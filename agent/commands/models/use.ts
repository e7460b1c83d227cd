import { ControlClient } from "../../../src/control/client.ts";
import type { ModelChange } from "../../../src/core/model-choice.ts";
import type { ModelInfo } from "../../../src/core/ports.ts";
import type { InstalledModel } from "../../../src/models/store.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { findModel } from "../../find-model.ts";
import { controlPathOf } from "../../locations.ts";
import { modelLine, tryModel } from "../../model-trial.ts";
import { installedModel, modelsPlace, type ModelsPlace, ownModels } from "../../models-place.ts";

/**
 * The model is loaded once before anything changes: one that cannot be used leaves the one in use where it is. A running
 * daemon does it itself, and takes the model at once.
 */
export async function modelsUse(context: CommandContext, reference: string): Promise<ExitCode> {
  const place = await modelsPlace(context);
  await ownModels(place);
  const model = await installedModel(place, reference);
  const daemon = new ControlClient(controlPathOf(place.dataFolder), context.signal);
  if (await daemon.reaches()) {
    context.terminal.status(`the daemon loads ${model.name}@${model.version} and proves it`);
    reportChange(context, await daemon.useModel(`${model.name}@${model.version}`));
    return exitCodes.ok;
  }
  context.terminal.status(`loading ${model.name}@${model.version}`);
  const spec = await findModel(`${model.name}@${model.version}`, { dataFolder: place.dataFolder });
  const info = await tryModel(context, spec);
  await place.store.use(model);
  report(context, place, model, info);
  return exitCodes.ok;
}

/** Back without a trial: it is the one that worked before, and this may be an emergency. */
export async function modelsRollback(context: CommandContext): Promise<ExitCode> {
  const place = await modelsPlace(context);
  await ownModels(place);
  const daemon = new ControlClient(controlPathOf(place.dataFolder), context.signal);
  if (await daemon.reaches()) {
    context.terminal.status("the daemon loads the model that was in use before");
    reportChange(context, await daemon.rollBackModel());
  } else {
    report(context, place, await place.store.rollback(), undefined);
  }
  return exitCodes.ok;
}

function reportChange({ terminal, json }: CommandContext, change: ModelChange): void {
  const { to, from, runMs, probationMs, notes } = change;
  if (json) {
    terminal.data(JSON.stringify({ current: to, daemon: true, ...change }));
    return;
  }
  const time = runMs === undefined ? "" : `, ${runMs.toFixed(1)} ms a run`;
  terminal.data(`the daemon uses ${to} now${from === undefined ? "" : ` instead of ${from}`}${time}`);
  for (const note of notes) terminal.note(note);
  if (probationMs === 0) return;
  const minutes = Math.max(1, Math.round(probationMs / 60_000));
  terminal.note(`for ${minutes} min it goes back by itself on errors, crashes, or when it is too slow`);
}

function report(
  { terminal, json }: CommandContext,
  place: ModelsPlace,
  { name, version }: InstalledModel,
  info: ModelInfo | undefined,
): void {
  const effect = effectOf(place);
  if (json) {
    terminal.data(JSON.stringify({ current: `${name}@${version}`, daemon: false, ...effect }));
    return;
  }
  terminal.data(`${name}@${version} is the model to use now${info === undefined ? "" : `: ${modelLine(info)}`}`);
  terminal.note(effect.note);
}

interface Effect {
  /** What the config names instead. */
  readonly pinned: string | null;
  readonly note: string;
}

function effectOf({ pinned }: ModelsPlace): Effect {
  if (pinned === undefined) return { pinned: null, note: "the daemon does not run; it takes it when it starts" };
  const note = `it has no effect while detector.model of the config names ${pinned}: remove that line`;
  return { pinned, note };
}
