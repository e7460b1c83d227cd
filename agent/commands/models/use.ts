import { ControlClient } from "../../../src/control/client.ts";
import type { ModelChange } from "../../../src/core/model-choice.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { findModel } from "../../models/find-model.ts";
import { controlPathOf } from "../../locations.ts";
import { modelLine, tryModel } from "../../models/model-trial.ts";
import { installedModel, modelsPlace, type ModelsPlace, ownModels } from "../../models/models-place.ts";

/**
 * The model is loaded and proven before anything changes: one that cannot be used leaves the one in use where it is. A
 * running daemon does that itself and takes it over at once.
 */
export async function modelsUse(context: CommandContext, reference: string): Promise<ExitCode> {
  const { terminal } = context;
  const place = await modelsPlace(context);
  await ownModels(place);
  const model = await installedModel(place, reference);
  const label = `${model.name}@${model.version}`;
  terminal.status(`loading ${label}`);
  const daemon = await daemonOf(context, place);
  if (daemon !== undefined) {
    reportChange(context, await daemon.useModel(label));
    return exitCodes.ok;
  }
  const info = await tryModel(context, await findModel(label, { dataFolder: place.dataFolder }));
  await place.store.use(model);
  reportLinks(context, place, label, modelLine(info));
  return exitCodes.ok;
}

/** Without a daemon there is no trial: it is the one that worked before, and this may be an emergency. */
export async function modelsRollback(context: CommandContext): Promise<ExitCode> {
  const place = await modelsPlace(context);
  await ownModels(place);
  const daemon = await daemonOf(context, place);
  if (daemon !== undefined) {
    reportChange(context, await daemon.rollBackModel());
    return exitCodes.ok;
  }
  const { name, version } = await place.store.rollback();
  reportLinks(context, place, `${name}@${version}`, undefined);
  return exitCodes.ok;
}

/** Undefined as well where the config names a model: the running daemon would take no other. */
async function daemonOf(
  { signal }: CommandContext,
  { dataFolder, pinned }: ModelsPlace,
): Promise<ControlClient | undefined> {
  if (pinned !== undefined) return undefined;
  const daemon = new ControlClient(controlPathOf(dataFolder), signal);
  return (await daemon.reaches()) ? daemon : undefined;
}

function reportChange({ terminal, json }: CommandContext, change: ModelChange): void {
  const { to, from, runMs, probationMs, notes } = change;
  if (json) {
    terminal.data(JSON.stringify({ current: to, daemon: true, pinned: null, ...change }));
    return;
  }
  const time = runMs === undefined ? "" : `; a run takes ${runMs.toFixed(1)} ms`;
  terminal.data(`${to} is in use now${from === undefined || from === to ? "" : `, instead of ${from}`}${time}`);
  if (probationMs > 0) {
    const minutes = Math.max(1, Math.round(probationMs / 60_000));
    terminal.note(`for ${minutes} min the daemon goes back by itself when it fails`);
  }
  for (const note of notes) terminal.note(note);
}

function reportLinks(
  { terminal, json }: CommandContext,
  { pinned }: ModelsPlace,
  label: string,
  about: string | undefined,
): void {
  if (json) {
    terminal.data(JSON.stringify({ current: label, daemon: false, pinned: pinned ?? null }));
    return;
  }
  terminal.data(`${label} is the model to use now${about === undefined ? "" : `: ${about}`}`);
  terminal.note(
    pinned === undefined
      ? "the daemon does not run; it takes it when it starts"
      : `it has no effect while detector.model of the config names ${pinned}: remove that line, then restart the daemon`,
  );
}
