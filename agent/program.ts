import { Command, CommanderError, Option } from "commander";
import type { CamerasOptions } from "./commands/cameras.ts";
import type { DatasetPullOptions } from "./commands/dataset-pull.ts";
import type { CommandContext, LogLevel } from "./context.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { addRemoteCommands } from "./commands-program.ts";
import { addFleetCommands } from "./fleet-program.ts";
import { addModelsCommands } from "./models/models-program.ts";
import { collected, durationMs, portNumber, positiveInteger, score, tileGrid } from "./option-values.ts";
import { addQueueCommands } from "./queue-program.ts";
import { addServiceCommands } from "./service/service-program.ts";
import { agentVersion } from "./version.ts";

type World = Pick<CommandContext, "terminal" | "clock" | "random" | "environment" | "signal" | "hide">;

interface SharedOptions {
  readonly config?: string;
  readonly data?: string;
  readonly json?: true;
  readonly logLevel?: LogLevel;
}

/**
 * The command tree. Each command's code is imported when it runs, so that `--version` and `queue ls` also work where a
 * native module is broken.
 */
export async function runCommandLine(words: readonly string[], world: World): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok;
  const program = new Command("framepost");
  const contextOf = (command: Command): CommandContext => {
    const { config, data, json, logLevel } = command.optsWithGlobals<SharedOptions>();
    return {
      ...world,
      json: json === true,
      ...(config === undefined ? {} : { configFile: config }),
      ...(data === undefined ? {} : { dataFolder: data }),
      ...(logLevel === undefined ? {} : { logLevel }),
    };
  };
  const finish = async (run: Promise<ExitCode>): Promise<void> => {
    exitCode = await run;
  };

  program
    .description("Captures frames, finds objects in them, and delivers them with their labels.")
    .version(agentVersion())
    .option("-c, --config <file>", "config file (default: ./framepost.yaml, else /etc/framepost/framepost.yaml)")
    .option("--data <folder>", "where spool, state and models live (overrides dataDir)")
    .option("--json", "machine-readable output; the last line of stdout is the result")
    .addOption(
      new Option("--log-level <level>", "what is logged to stderr").choices([
        "debug",
        "info",
        "warn",
        "error",
        "silent",
      ]),
    )
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => world.terminal.data(text.trimEnd()),
      writeErr: (text) => world.terminal.note(text.trimEnd()),
    })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();

  addRunningCommands(program, contextOf, finish);
  addOneShotCommands(program, contextOf, finish);
  addInspectionCommands(program, contextOf, finish);
  const platform = program.command("platform").description("every operation of a platform, from the command line");
  // Some hundred commands: built only for those who ask.
  if (words.includes("platform")) {
    const { addPlatformOperations } = await import("./platforms/platforms-program.ts");
    addPlatformOperations(platform, contextOf, finish);
  }
  pointToHelp(program, "framepost");

  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return exitCode;
}

/** A word that is wrong is answered with where the right ones stand. */
function pointToHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help lists what there is)`);
  for (const child of command.commands) pointToHelp(child, `${path} ${child.name()}`);
}

export type ContextOf = (command: Command) => CommandContext;
export type Finish = (run: Promise<ExitCode>) => Promise<void>;

function addRunningCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  program
    .command("demo")
    .description("the whole chain on this machine with nothing installed: simulated camera to sandbox platforms")
    .option("--frames <n>", "end after this many records were accepted by every target", positiveInteger)
    .option("--interval <ms>", "milliseconds between frames", positiveInteger)
    .option("--seed <n>", "seed of the simulated scenes", positiveInteger)
    .action(async (options: { frames?: number; interval?: number; seed?: number }, command: Command) => {
      const { demo } = await import("./commands/demo.ts");
      await finish(demo(contextOf(command), options));
    });
  program
    .command("run")
    .description("the daemon: captures, labels, keeps and delivers until it is stopped")
    .action(async (_options: object, command: Command) => {
      const { run } = await import("./commands/run.ts");
      await finish(run(contextOf(command)));
    });
  program
    .command("sandbox")
    .description("the stand-in server of a platform, strict about its contract")
    .argument("<kind>", "iotown, layernext, onestepai, customvision or remo")
    .option("--port <port>", "port on 127.0.0.1 (default: a free one)", portNumber)
    .option("--fault <name...>", "what it is to do wrong with its next request; name:times for several")
    .action(async (kind: string, options: { port?: number; fault?: string[] }, command: Command) => {
      const { sandbox } = await import("./commands/sandbox.ts");
      await finish(sandbox(contextOf(command), kind, options));
    });
}

function addOneShotCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  program
    .command("init")
    .description("finds cameras, asks the few questions left, and writes a config that works")
    .option("--yes", "ask nothing")
    .option("--output <file>", "where to write it", "framepost.yaml")
    .option("--force", "replace an existing file")
    .action(async (options: { yes?: true; output: string; force?: true }, command: Command) => {
      const { init } = await import("./commands/init.ts");
      await finish(init(contextOf(command), options));
    });
  program
    .command("capture")
    .description("one frame of one camera through the whole chain, kept whatever the rules say")
    .option("--camera <id>", "which camera (default: the first)")
    .option("--dry-run", "show what would be kept; store and send nothing")
    .option("--save <folder>", "also save the frame and its detections there")
    .option("--wait", "send it, and wait until every target answered")
    .action(async (options: { camera?: string; dryRun?: true; save?: string; wait?: true }, command: Command) => {
      const { capture } = await import("./commands/capture.ts");
      await finish(capture(contextOf(command), options));
    });
  program
    .command("send")
    .description("your own images and labels to one target, without a camera, through the spool")
    .argument("<files...>", "JPEG files")
    .requiredOption("--target <id>", "target of the config")
    .option("--labels <file>", "JSON Lines as `detect --json` prints them; without it the detector labels the images")
    .action(async (files: string[], options: { target: string; labels?: string }, command: Command) => {
      const { send } = await import("./commands/send.ts");
      await finish(send(contextOf(command), files, options));
    });
  program
    .command("detect")
    .description("the detector on image files or folders")
    .argument("<paths...>", "JPEG files or folders of them")
    .option("--model <name|file>", "model name or ONNX file (default: the model in use)")
    .option("--manifest <file>", "model.json that says how to read the model")
    .option("--threshold <score>", "show detections from this score on", score)
    .option("--exact", "resize as training tool chains do instead of the fast way")
    .option(
      "--tiles <columnsxrows>",
      "also look at so many overlapping parts of each image: for small objects",
      tileGrid,
    )
    .option("--annotate <folder>", "write copies of the images with the boxes drawn")
    .action(
      async (
        paths: string[],
        options: {
          model?: string;
          manifest?: string;
          threshold?: number;
          exact?: true;
          tiles?: { columns: number; rows: number };
          annotate?: string;
        },
        command: Command,
      ) => {
        const { detect } = await import("./commands/detect.ts");
        await finish(detect(contextOf(command), paths, options));
      },
    );
}

function addInspectionCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  program
    .command("cameras")
    .description("what can be captured from here")
    .option(
      "--shot <camera>",
      "take one frame: id of a camera of the config, or a source such as /dev/video0, rpicam:0 or rtsp://…",
    )
    .option("--output <file>", "where the frame goes", "shot.jpg")
    .option("--onvif [host]", "look for ONVIF cameras in the network instead; with a host, what that one offers")
    .option("--timeout <duration>", "how long to wait for ONVIF cameras (default: 5s)", durationMs)
    .option("--interface <name>", "look for ONVIF cameras on this network interface only")
    .option("--username <user>", "user at the ONVIF camera; its password comes from FRAMEPOST_ONVIF_PASSWORD")
    .option("--password-file <file>", "a file with the password instead")
    .action(async (options: CamerasOptions, command: Command) => {
      const { cameras } = await import("./commands/cameras.ts");
      await finish(cameras(contextOf(command), options));
    });
  program
    .command("doctor")
    .description("checks everything that can be wrong, each with a line that says how to mend it")
    .option("--live", "also send one picture to every target")
    .action(async (options: { live?: true }, command: Command) => {
      const { doctor } = await import("./commands/doctor.ts");
      await finish(doctor(contextOf(command), options));
    });
  addServiceCommands(program, contextOf, finish);
  addConfigCommands(program, contextOf, finish);
  addModelsCommands(program, contextOf, finish);
  addQueueCommands(program, contextOf, finish);
  addDatasetCommands(program, contextOf, finish);
  addRemoteCommands(program, contextOf, finish);
  addFleetCommands(program, contextOf, finish);
}

function addDatasetCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const dataset = program.command("dataset").description("data sets on disk");
  const format = (): Option =>
    new Option("--format <format>", "annotation format").choices(["coco", "yolo", "voc"]).makeOptionMandatory();
  dataset
    .command("export")
    .description("a `folder` target's data as COCO, YOLO or Pascal VOC")
    .requiredOption("--from <folder>", "folder of a `folder` target")
    .requiredOption("--to <folder>", "a new or empty folder")
    .addOption(format())
    .action(async (options: { from: string; to: string; format: "coco" | "yolo" | "voc" }, command: Command) => {
      const { datasetExport } = await import("./commands/dataset.ts");
      await finish(datasetExport(contextOf(command), options));
    });
  dataset
    .command("pull")
    .description("what people have labelled on a platform, ready for training; again for what is new")
    .requiredOption("--from <platform>", "iotown, remo or customvision")
    .requiredOption("--class <name>", "class to pull; may be given several times", collected)
    .requiredOption("--to <folder>", "a new folder, or one pulled to before")
    .addOption(format())
    .option("--target <id>", "target of the config whose account it is (else FRAMEPOST_… from the environment)")
    .option("--dry-run", "show the requests, without secrets, and send nothing")
    .action(async (options: DatasetPullOptions, command: Command) => {
      const { datasetPull } = await import("./commands/dataset-pull.ts");
      await finish(datasetPull(contextOf(command), options));
    });
}

function addConfigCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const config = program.command("config").description("the config file");
  for (const [name, description] of [
    ["check", "check it, and what remote commands changed above it: file:line:column: path: what is wrong"],
    ["show", "the effective config, defaults filled in, secrets masked"],
    ["schema", "its JSON Schema, for editors"],
  ] as const) {
    const subcommand = config.command(name).description(description);
    if (name === "show") subcommand.option("--origin", "one line for each setting, with the file and line that won");
    subcommand.action(async (options: { origin?: true }, command: Command) => {
      const commands = await import("./commands/config.ts");
      await finish(commands.configCommand(contextOf(command), name, options));
    });
  }
  config
    .command("migrate")
    .description("the config file in the form of this version, where it was written for an older one")
    .option("--write", "write it into the file; the file as it was stays beside it")
    .action(async (options: { write?: true }, command: Command) => {
      const { configMigrate } = await import("./commands/config-migrate.ts");
      await finish(configMigrate(contextOf(command), options));
    });
}
