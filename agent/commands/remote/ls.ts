import { argumentsOf, type Argument } from "../../../src/remote/commands/arguments.ts";
import { commandSpecs } from "../../../src/remote/commands/specs.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { counted } from "../../terminal.ts";

/** Every remote command of this version. With `--json` one line each, then `{"commands":n}`. */
export function commandsList({ terminal, json }: CommandContext): ExitCode {
  for (const spec of commandSpecs) {
    const { name, scope, effect, slow = false, summary, answer, example } = spec;
    const args = argumentsOf(spec);
    if (json) {
      terminal.data(JSON.stringify({ name, scope, effect, slow, summary, arguments: args, example, answer }));
      continue;
    }
    terminal.data(`${name}  [${scope}${effect ? ", has an effect" : ""}]`);
    terminal.data(`    ${summary}`);
    for (const argument of args) terminal.data(`    ${argumentLine(argument)}`);
  }
  if (json) terminal.data(JSON.stringify({ commands: commandSpecs.length }));
  else
    terminal.note(
      `${counted(commandSpecs.length, "command")}; send one with: framepost commands send DEVICE NAME name=value`,
    );
  return exitCodes.ok;
}

function argumentLine({ name, type, required, description }: Argument): string {
  return [`${required ? name : `[${name}]`}  ${type}`, ...(description === undefined ? [] : [description])].join("  ");
}
