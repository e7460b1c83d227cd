import { ControlClient } from "../../../src/control/client.ts";
import type { ModelInfo } from "../../../src/core/ports.ts";
import type { InstalledModel } from "../../../src/models/store.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { findModel } from "../../find-model.ts";
import { controlPathOf } from "../../locations.ts";
import { modelLine, tryModel } from "../../model-trial.ts";
import { installedModel, modelsPlace, type ModelsPlace, ownModels } from "../../models-place.ts";

/** The model is loaded once before anything changes: one that cannot be used leaves the one in use where it is. */
export async function modelsUse(context: CommandContext, reference: string): Promise<ExitCode> {
  const place = await modelsPlace(context);
  await ownModels(place);
  const model = await installedModel(place, reference);
  context.terminal.status(`loading ${model.name}@${model.version}`);
  const spec = await findModel(`${model.name}@${model.version}`, { dataFolder: place.dataFolder });
  const info = await tryModel(context, spec);
  await place.store.use(model);
  await report(context, place, model, info);
  return exitCodes.ok;
}

/** Back without a trial: it is the one that worked before, and this may be an emergency. */
export async function modelsRollback(context: CommandContext): Promise<ExitCode> {
  const place = await modelsPlace(context);
  await ownModels(place);
  await report(context, place, await place.store.rollback(), undefined);
  return exitCodes.ok;
}

async function report(
  context: CommandContext,
  place: ModelsPlace,
  { name, version }: InstalledModel,
  info: ModelInfo | undefined,
): Promise<void> {
  const { terminal, json } = context;
  const effect = await effectOf(context, place);
  if (json) {
    terminal.data(JSON.stringify({ current: `${name}@${version}`, ...effect }));
    return;
  }
  terminal.data(`${name}@${version} is the model to use now${info === undefined ? "" : `: ${modelLine(info)}`}`);
  terminal.note(effect.note);
}

interface Effect {
  /** Whether a daemon runs, and whether the config lets the choice count. */
  readonly daemon: boolean;
  readonly pinned: string | null;
  readonly note: string;
}

async function effectOf({ signal }: CommandContext, { dataFolder, pinned }: ModelsPlace): Promise<Effect> {
  const daemon = await new ControlClient(controlPathOf(dataFolder), signal).reaches();
  if (pinned !== undefined) {
    const note = `it has no effect while detector.model of the config names ${pinned}: remove that line, then restart the daemon`;
    return { daemon, pinned, note };
  }
  const note = daemon
    ? "the daemon takes it at its next start: systemctl restart framepost"
    : "the daemon does not run; it takes it when it starts";
  return { daemon, pinned: null, note };
}
