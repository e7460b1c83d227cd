import type { Command } from "commander";
import { addProvingCommands } from "./models-proving.ts";
import type { ContextOf, Finish } from "./program.ts";

/** `models …`: each command's code is imported when it runs. */
export function addModelsCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const models = program.command("models").description("detector models: what there is, which one is in use, how good");
  addProvingCommands(models, contextOf, finish);
}
