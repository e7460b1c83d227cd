import { access } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";
import { AgentError } from "../src/core/errors.ts";
import type { Logger } from "../src/core/ports.ts";
import { loadConfig, type LoadedConfig } from "../src/config/load.ts";
import { formatProblem } from "../src/config/problem.ts";
import { createLogger } from "../src/log/logger.ts";
import { configSchema, type FramepostConfig } from "./config-schema.ts";
import type { CommandContext } from "./context.ts";

export interface Settings extends LoadedConfig<FramepostConfig> {
  readonly file: string;
  readonly dataFolder: string;
  readonly log: Logger;
}

const places = ["framepost.yaml", "/etc/framepost/framepost.yaml"];

/** The config that `-c` names, else the first of the usual places. Fails with `CONFIG_INVALID` or `CONFIG_NOT_FOUND`. */
export async function loadSettings(context: CommandContext): Promise<Settings> {
  const file = await configFileOf(context);
  const loaded = await loadConfig(file, configSchema, { variables: context.environment });
  for (const warning of loaded.warnings) context.terminal.note(`warning: ${formatProblem(warning)}`);
  return {
    ...loaded,
    file,
    dataFolder: dataFolderOf(context, loaded.config, file),
    log: createLogger({
      level: context.logLevel ?? loaded.config.log.level,
      secrets: loaded.secrets,
      journald: context.environment["JOURNAL_STREAM"] !== undefined,
    }),
  };
}

export async function configFileOf(context: CommandContext): Promise<string> {
  if (context.configFile !== undefined) return context.configFile;
  for (const place of places) {
    if (await exists(place)) return place;
  }
  throw new AgentError(
    "CONFIG_NOT_FOUND",
    `no config file: looked for ${places.join(" and ")}; write one with "framepost init"`,
    {
      disposition: "fatal",
    },
  );
}

/** `--data`, else systemd's state folder, else the config's `dataDir` beside its file, else a folder here. */
function dataFolderOf(context: CommandContext, config: FramepostConfig, file: string): string {
  if (context.dataFolder !== undefined) return resolve(context.dataFolder);
  if (config.dataDir !== undefined) {
    return isAbsolute(config.dataDir) ? config.dataDir : resolve(dirname(file), config.dataDir);
  }
  // systemd names several folders with colons between them; the unit has one.
  const fromService = context.environment["STATE_DIRECTORY"]?.split(":")[0];
  return fromService === undefined || fromService === "" ? resolve("framepost-data") : fromService;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
