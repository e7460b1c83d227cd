import { access, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { createInterface } from "node:readline/promises";
import { discoverCameras, type Discovery } from "../../src/capture/discover.ts";
import { AgentError } from "../../src/core/errors.ts";
import { parseConfig } from "../../src/config/load.ts";
import { starterConfig, type StarterChoices } from "../../src/config/starter.ts";
import { configSchema } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";

interface InitOptions {
  readonly yes?: true;
  readonly output: string;
  readonly force?: true;
}

/** Finds cameras, asks the few questions left, and writes a config that the checker accepts. */
export async function init(context: CommandContext, options: InitOptions): Promise<ExitCode> {
  const { terminal } = context;
  if (options.force !== true && (await exists(options.output))) {
    throw new AgentError("USAGE_EXISTS", `${options.output} exists; --force replaces it`, { disposition: "fatal" });
  }
  const found = await discoverCameras();
  const choices = options.yes === true ? defaults(found) : await ask(found, context.signal);
  const text = starterConfig(choices);
  // Our own checker has the last word, so that the next command never finds a mistake of ours.
  await parseConfig(text, options.output, configSchema, { variables: withPlaceholders(context.environment, text) });
  await writeFile(options.output, text, { mode: 0o600 });
  if (context.json) terminal.data(JSON.stringify({ written: options.output, cameras: choices.cameras }));
  else terminal.data(`${options.output} written; next: framepost doctor -c ${options.output}`);
  return exitCodes.ok;
}
