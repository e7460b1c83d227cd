import { AgentError } from "../../../src/core/errors.ts";
import type { InstalledModel } from "../../../src/models/store.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { installedModel, modelsPlace, type ModelsPlace, ownModels } from "../../models/models-place.ts";
import { sizeText } from "../../terminal.ts";

/** One version; never one that the links or the config name. */
export async function modelsRemove(context: CommandContext, reference: string): Promise<ExitCode> {
  const { terminal, json } = context;
  const place = await modelsPlace(context);
  await ownModels(place);
  const model = await chosen(place, reference);
  const label = `${model.name}@${model.version}`;
  for (const [setting, named] of [
    ["detector.model", place.pinned],
    ["detector.shadow.model", place.shadow],
  ] as const) {
    const used = named === undefined ? undefined : await place.store.find(named);
    if (used?.folder === model.folder) {
      throw new AgentError("MODEL_IN_USE", `${label} is in use: ${setting} of the config names it`, {
        disposition: "reject",
      });
    }
  }
  await place.store.remove(model);
  if (json) terminal.data(JSON.stringify({ removed: label, bytes: model.bytes }));
  else terminal.data(`${label} is removed, ${sizeText(model.bytes)}`);
  return exitCodes.ok;
}

/** Without a version only where there is no doubt. */
async function chosen(place: ModelsPlace, reference: string): Promise<InstalledModel> {
  const model = await installedModel(place, reference);
  const versions = (await place.store.list()).filter(({ name }) => name === reference);
  if (versions.length < 2) return model;
  const names = versions.map(({ name, version }) => `${name}@${version}`).join(", ");
  throw new AgentError("USAGE_MODEL", `which of ${names} shall be removed?`, { disposition: "fatal" });
}
