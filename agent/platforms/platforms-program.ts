import { Argument, type Command, Option } from "commander";
import type { ContextOf, Finish } from "../program.ts";
import type { Operation, OperationOption, Platform } from "./platform.ts";
import { variablesText } from "./access.ts";
import { eachPlatform } from "./platforms.ts";
import { runOperation } from "./run-operation.ts";

/** `platform <kind> <operation> …`: a command for each operation of each client. */
export function addPlatformOperations(program: Command, contextOf: ContextOf, finish: Finish): void {
  eachPlatform((platform) => {
    const kind = program.command(platform.kind).description(`every operation of ${platform.title}`);
    kind.addHelpText("after", `\nCredentials: -c FILE --target ID, or the variables\n  ${variablesText(platform)}`);
    for (const operation of platform.operations) addOperation(kind, platform, operation, contextOf, finish);
  });
}

function addOperation<Client>(
  parent: Command,
  platform: Platform<Client>,
  operation: Operation<Client>,
  contextOf: ContextOf,
  finish: Finish,
): void {
  const command = parent.command(operation.name).description(operation.summary);
  for (const { name, description, optional, many } of operation.arguments ?? []) {
    const dots = many === true ? "..." : "";
    command.addArgument(new Argument(optional === true ? `[${name}${dots}]` : `<${name}${dots}>`, description));
  }
  for (const option of operation.options ?? []) command.addOption(optionOf(option));
  command
    .option("--target <id>", "target of the config whose account it is (else FRAMEPOST_… from the environment)")
    .option("--dry-run", "show the requests, without secrets, and send nothing")
    .action(async (...given: readonly unknown[]) => {
      const command = given.at(-1) as Command;
      const options = given.at(-2) as Readonly<Record<string, unknown>>;
      const args = given.slice(0, -2) as readonly (string | readonly string[] | undefined)[];
      await finish(runOperation(contextOf(command), platform, operation, { args, options }));
    });
}

function optionOf({ flags, description, required, choices, parse }: OperationOption): Option {
  const option = new Option(flags, description);
  if (required === true) option.makeOptionMandatory();
  if (choices !== undefined) option.choices(choices);
  if (parse !== undefined) option.argParser(parse);
  return option;
}
