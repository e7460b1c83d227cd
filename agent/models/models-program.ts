import { type Command, InvalidArgumentError } from "commander";
import type { ModelsAddOptions } from "../commands/models/add.ts";
import { addProvingCommands } from "./models-proving.ts";
import type { ContextOf, Finish } from "../program.ts";

/** `models …`: each command's code is imported when it runs. */
export function addModelsCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const models = program.command("models").description("detector models: what there is, which one is in use, how good");
  addFetchingCommands(models, contextOf, finish);
  addChoosingCommands(models, contextOf, finish);
  addProvingCommands(models, contextOf, finish);
}

function addFetchingCommands(models: Command, contextOf: ContextOf, finish: Finish): void {
  models
    .command("catalog")
    .description("public models that can be added by name, with licence, size, checksum and address")
    .action(async (_options: object, command: Command) => {
      const { modelsCatalog } = await import("../commands/models/catalog.ts");
      await finish(Promise.resolve(modelsCatalog(contextOf(command))));
    });
  models
    .command("add")
    .description("installs a model; one that was cut short goes on where it was")
    .argument("<model>", "a name of the catalog, an ONNX file, or an address")
    .option(
      "--as <name[@version]>",
      "what it is called here (default: name of the catalog or file; version of the catalog, or the beginning of its SHA-256)",
    )
    .option("--sha256 <digits>", "refuse any other file", sha256)
    .option("--manifest <file>", "model.json that says how to read it")
    .option("--force", "install it also when it cannot be loaded here")
    .action(async (model: string, options: ModelsAddOptions, command: Command) => {
      const { modelsAdd } = await import("../commands/models/add.ts");
      await finish(modelsAdd(contextOf(command), model, options));
    });
  models
    .command("rm")
    .description("removes an installed model that is not in use")
    .argument("<model>", "NAME@VERSION; NAME where there is one version")
    .action(async (model: string, _options: object, command: Command) => {
      const { modelsRemove } = await import("../commands/models/rm.ts");
      await finish(modelsRemove(contextOf(command), model));
    });
}

function addChoosingCommands(models: Command, contextOf: ContextOf, finish: Finish): void {
  models
    .command("ls")
    .description("installed models, which one is in use, and downloads that were cut short")
    .action(async (_options: object, command: Command) => {
      const { modelsList } = await import("../commands/models/ls.ts");
      await finish(modelsList(contextOf(command)));
    });
  models
    .command("use")
    .description("loads an installed model once, and puts it to use")
    .argument("<model>", "NAME@VERSION, or NAME for the version added last")
    .action(async (model: string, _options: object, command: Command) => {
      const { modelsUse } = await import("../commands/models/use.ts");
      await finish(modelsUse(contextOf(command), model));
    });
  models
    .command("rollback")
    .description("back to the model that was in use before")
    .action(async (_options: object, command: Command) => {
      const { modelsRollback } = await import("../commands/models/use.ts");
      await finish(modelsRollback(contextOf(command)));
    });
}

function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError("expected 64 hexadecimal digits");
  return text.toLowerCase();
}
