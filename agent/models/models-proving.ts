import type { Command } from "commander";
import type { ModelsBenchOptions } from "../commands/models/bench.ts";
import type { ModelsVerifyOptions } from "../commands/models/verify.ts";
import { positiveInteger } from "../option-values.ts";
import type { ContextOf, Finish } from "../program.ts";

const which = ["[models...]", "NAME, NAME@VERSION or an ONNX file; when left out, the model in use"] as const;

/** `models verify` and `models bench`. */
export function addProvingCommands(models: Command, contextOf: ContextOf, finish: Finish): void {
  models
    .command("verify")
    .description("loads models and says what they are, and whether they find on their golden picture what they should")
    .argument(...which)
    .option("--golden <photo>", "judge by this photo: by the PHOTO.json beside it, else by whether anything is found")
    .option(
      "--record <photo>",
      "from now on this photo, with what is found on it, is the installed model's golden picture",
    )
    .action(async (references: string[], options: ModelsVerifyOptions, command: Command) => {
      const { modelsVerify } = await import("../commands/models/verify.ts");
      await finish(modelsVerify(contextOf(command), references, options));
    });
  models
    .command("bench")
    .description("how fast models are on this machine, with one thread and more, and what to write into the config")
    .argument(...which)
    .option("--photo <file>", "a picture of your own camera (default: a drawn one)")
    .option("--runs <n>", "detections of each model and number of threads", positiveInteger, 30)
    .action(async (references: string[], options: ModelsBenchOptions, command: Command) => {
      const { modelsBench } = await import("../commands/models/bench.ts");
      await finish(modelsBench(contextOf(command), references, options));
    });
}
