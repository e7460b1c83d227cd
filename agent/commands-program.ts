import type { Command } from "commander";
import type { CommandsSendOptions } from "./commands/remote/send.ts";
import { waitMs, wholeNumber } from "./option-values.ts";
import type { ContextOf, Finish } from "./program.ts";

/** `commands …`: steering devices over MQTT. Each command's code is imported when it runs. */
export function addRemoteCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const commands = program
    .command("commands")
    .description(
      "remote commands: the broker of the config's section remote, or of FRAMEPOST_BROKER_URL, _USERNAME, _PASSWORD",
    );
  commands
    .command("ls")
    .description("what devices of this version can be told, with scopes and arguments")
    .action(async (_options: object, command: Command) => {
      const { commandsList } = await import("./commands/remote/ls.ts");
      await finish(Promise.resolve(commandsList(contextOf(command))));
    });
  commands
    .command("keygen")
    .description("a new key to sign commands with; prints the line for the devices' remote.keys")
    .argument("<file>", "where the private key goes")
    .option("--key <id>", "its name", "operator")
    .action(async (file: string, options: { key: string }, command: Command) => {
      const { commandsKeygen } = await import("./commands/remote/keygen.ts");
      await finish(commandsKeygen(contextOf(command), file, options));
    });
  sendOptions(
    commands
      .command("send")
      .description("one request to a device, a group or all, and the replies; exit 0 only when all have done it")
      .argument(
        "<words...>",
        "DEVICE NAME [ARGUMENTS], without DEVICE for many; arguments as name=value or as a JSON object",
      )
      .option("--group <name>", "to this group instead of a device")
      .option("--all", "to every device")
      .option("--spread <duration>", "each of many devices waits for a random part of this time first", waitMs),
  ).action(async (words: string[], options: CommandsSendOptions, command: Command) => {
    const { commandsSend } = await import("./commands/remote/send.ts");
    await finish(commandsSend(contextOf(command), words, options));
  });
}

/** What `commands send` and `fleet send` share. */
export function sendOptions(command: Command): Command {
  return command
    .option("--dry-run", "check, and say what would happen; change nothing")
    .option("--ttl <duration>", "not to be begun later than this after it arrived (default: the timeout)", waitMs)
    .option("--if-revision <n>", "only if the config still has this revision", wholeNumber)
    .option("--timeout <duration>", "how long to wait for answers (default: 30s, 15m for slow commands)", waitMs)
    .option("--sign <file>", "sign it with this private key, made by: framepost commands keygen")
    .option("--key <id>", "the key's name in the devices' remote.keys")
    .option("--unchecked", "leave it to the device to check name and arguments");
}
