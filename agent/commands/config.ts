import { jsonSchemaOf } from "../../src/config/json-schema.ts";
import { ConfigError, formatProblem } from "../../src/config/problem.ts";
import { shownConfig } from "../../src/config/redact.ts";
import { writeYaml } from "../../src/config/yaml.ts";
import { configSchema } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { loadSettings } from "../settings.ts";
import { counted } from "../terminal.ts";

export async function configCommand(context: CommandContext, name: "check" | "show" | "schema"): Promise<ExitCode> {
  switch (name) {
    case "check":
      return check(context);
    case "show":
      return show(context);
    case "schema":
      context.terminal.data(JSON.stringify(jsonSchemaOf(configSchema), undefined, 2));
      return exitCodes.ok;
  }
}

/** Prints every mistake as `file:line:column: path: what is wrong`, the warnings on stderr. */
async function check(context: CommandContext): Promise<ExitCode> {
  const { terminal, json } = context;
  try {
    const { file, config, warnings } = await loadSettings(context);
    const { cameras, targets } = config;
    for (const warning of warnings) terminal.note(`warning: ${warning}`);
    if (json) terminal.data(JSON.stringify({ valid: true, file, warnings }));
    else terminal.data(`${file}: valid, ${counted(cameras.length, "camera")}, ${counted(targets.length, "target")}`);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (json) terminal.data(JSON.stringify({ valid: false, problems: error.problems }));
    else for (const problem of error.problems) terminal.data(formatProblem(problem));
    return exitCodes.configuration;
  }
}

async function show(context: CommandContext): Promise<ExitCode> {
  const { config, redacted, secrets } = await loadSettings(context);
  const shown = shownConfig(configSchema, config, { redacted, secrets });
  context.terminal.data(context.json ? JSON.stringify(shown) : writeYaml(shown).trimEnd());
  return exitCodes.ok;
}
