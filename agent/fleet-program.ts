import type { Command } from "commander";
import type { FleetSendOptions } from "./commands/fleet/send.ts";
import type { FleetSimulateOptions } from "./commands/fleet/simulate.ts";
import { sendOptions } from "./commands-program.ts";
import { percentage, positiveInteger, waitMs } from "./option-values.ts";
import type { ContextOf, Finish } from "./program.ts";

/** `fleet …`: many devices at once. Each command's code is imported when it runs. */
export function addFleetCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const fleet = program.command("fleet").description("all devices of a broker, reached as `commands` does");
  fleet
    .command("ls")
    .description("who is online, version, what is owed, last upload, and silent for how long")
    .option("--group <name>", "only devices of this group")
    .action(async (options: { group?: string }, command: Command) => {
      const { fleetList } = await import("./commands/fleet/ls.ts");
      await finish(fleetList(contextOf(command), options));
    });
  fleet
    .command("simulate")
    .description("many light devices with the real protocol code, to see what a broker and this fleet would do")
    .option("--devices <n>", "how many", positiveInteger, 100)
    .option("--groups <n>", "spread over so many groups", positiveInteger, 4)
    .option("--interval <duration>", "each also takes a picture this often and uploads it", waitMs)
    .option("--picture-size <bytes>", "of each picture", positiveInteger, 20_000)
    .option("--rate <n>", "devices that start in a second", positiveInteger, 200)
    .option("--ask-every <duration>", "ping all of them this often", waitMs, 10_000)
    .option("--for <duration>", "end after this time (default: with Ctrl-C)", waitMs)
    .action(async (options: FleetSimulateOptions, command: Command) => {
      const { fleetSimulate } = await import("./commands/fleet/simulate.ts");
      await finish(fleetSimulate(contextOf(command), options));
    });
  sendOptions(
    fleet
      .command("send")
      .description("a command to one device after the other, or to a share of them; exit 0 only when all have done it")
      .argument("<words...>", "NAME [ARGUMENTS]; arguments as name=value or as a JSON object")
      .option("--group <name>", "only devices of this group")
      .option("--percent <share>", "only this share of them, chosen by --rollout", percentage, 100)
      .option("--rollout <id>", "the same id chooses the same devices, and what was done in it is not done again")
      .option("--rate <n>", "devices a second", positiveInteger, 10)
      .option("--max-failures <n>", "ask no further device when so many have not done it", positiveInteger),
  ).action(async (words: string[], options: FleetSendOptions, command: Command) => {
    const { fleetSend } = await import("./commands/fleet/send.ts");
    await finish(fleetSend(contextOf(command), words, options));
  });
}
