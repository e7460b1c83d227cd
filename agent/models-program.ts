import { type Command, InvalidArgumentError } from "commander";
import type { ModelsAddOptions } from "./commands/models/add.ts";
import type { ModelsBenchOptions } from "./commands/models/bench.ts";
import type { ModelsVerifyOptions } from "./commands/models/verify.ts";
import { positiveInteger } from "./option-values.ts";
import type { ContextOf, Finish } from "./program.ts";

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
      const { modelsCatalog } = await import("./commands/models/catalog.ts");
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
      const { modelsAdd } = await import("./commands/models/add.ts");
      await finish(modelsAdd(contextOf(command), model, options));
    });
  models
    .command("rm")
    .description("removes an installed model that is not in use")
    .argument("<model>", "NAME@VERSION; NAME where there is one version")
    .action(async (model: string, _options: object, command: Command) => {
      const { modelsRemove } = await import("./commands/models/rm.ts");
      await finish(modelsRemove(contextOf(command), model));
    });
}

function addChoosingCommands(models: Command, contextOf: ContextOf, finish: Finish): void {
  models
    .command("ls")
    .description("installed models, which one is in use, and downloads that were cut short")
    .action(async (_options: object, command: Command) => {
      const { modelsList } = await import("./commands/models/ls.ts");
      await finish(modelsList(contextOf(command)));
    });
  models
    .command("use")
    .description("loads an installed model once, and puts it to use")
    .argument("<model>", "NAME@VERSION, or NAME for the version added last")
    .action(async (model: string, _options: object, command: Command) => {
      const { modelsUse } = await import("./commands/models/use.ts");
      await finish(modelsUse(contextOf(command), model));
    });
  models
    .command("rollback")
    .description("back to the model that was in use before")
    .action(async (_options: object, command: Command) => {
      const { modelsRollback } = await import("./commands/models/use.ts");
      await finish(modelsRollback(contextOf(command)));
    });
}

const models = ["[models...]", "NAME, NAME@VERSION or an ONNX file; when left out, the model in use"] as const;

function addProvingCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  program
    .command("verify")
    .description("loads models and says what they are, and whether they find on their golden picture what they should")
    .argument(...models)
    .option("--golden <photo>", "judge by this photo: by the PHOTO.json beside it, else by whether anything is found")
    .option(
      "--record <photo>",
      "from now on this photo, with what is found on it, is the installed model's golden picture",
    )
    .action(async (references: string[], options: ModelsVerifyOptions, command: Command) => {
      const { modelsVerify } = await import("./commands/models/verify.ts");
      await finish(modelsVerify(contextOf(command), references, options));
    });
  program
    .command("bench")
    .description("how fast models are on this machine, with one thread and more, and what to write into the config")
    .argument(...models)
    .option("--photo <file>", "a picture of your own camera (default: a drawn one)")
    .option("--runs <n>", "detections of each model and number of threads", positiveInteger, 30)
    .action(async (references: string[], options: ModelsBenchOptions, command: Command) => {
      const { modelsBench } = await import("./commands/models/bench.ts");
      await finish(modelsBench(contextOf(command), references, options));
    });
}

function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError("expected 64 hexadecimal digits");
  return text.toLowerCase();
}
