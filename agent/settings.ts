import { dirname, join, resolve } from "node:path";
import { AgentError } from "../src/core/errors.ts";
import type { Logger } from "../src/core/ports.ts";
import { OperatorFile, type LayeredConfig } from "../src/config/layers.ts";
import { overlayPathOf } from "../src/config/overlay-file.ts";
import { ConfigError, formatProblem } from "../src/config/problem.ts";
import { createControlledLogger, type LogControl, type LogDestination } from "../src/log/logger.ts";
import { LogRing } from "../src/log/ring.ts";
import { terminalLine } from "../src/log/terminal-line.ts";
import { configSchema, type FramepostConfig } from "./config-schema.ts";
import type { CommandContext, LogLevel } from "./context.ts";
import { budgetWarnings } from "./disks.ts";
import { exists } from "./files.ts";
import { standInFor, type DataFolderOf, type LeftOut } from "./last-good.ts";
import { mayLack } from "./lacking.ts";
import { withOverlay, type OverlayInForce } from "./overlay.ts";
import { withAbsolutePaths } from "./relative-paths.ts";
import {
  cameraWarnings,
  detectorWarnings,
  privacyWarnings,
  remoteWarnings,
  targetWarnings,
  webWarnings,
} from "./warnings.ts";

const places = ["framepost.yaml", "/etc/framepost/framepost.yaml"];

export interface Settings extends Omit<LayeredConfig<FramepostConfig>, "warnings"> {
  readonly file: string;
  readonly dataFolder: string;
  readonly log: Logger;
  readonly logControl: LogControl;
  /** The last lines of `log`. */
  readonly logRing: LogRing;
  /** What works but should be mended. For a person, without secrets. */
  readonly warnings: readonly string[];
  /** Why the file as it is now is not in force. */
  readonly refused?: AgentError;
  /** The last config that worked is in force instead. */
  readonly standIn?: ConfigStandIn;
  readonly operator: OperatorFile<typeof configSchema>;
  readonly overlay: OverlayInForce;
}

export interface ConfigStandIn {
  /** Of the agent that ran with it. */
  readonly agentVersion: string;
}

export interface LoadOptions {
  /** The daemon has just been started: a trial that is under way ended with the process that began it. */
  readonly start?: boolean;
  /** In place of a new one. */
  readonly logRing?: LogRing;
  /** The last config that worked may stand in for a file that cannot be used. */
  readonly lastGood?: boolean;
  /** Single cameras and targets may be without what a placeholder of theirs stands for. */
  readonly partsMayLack?: boolean;
}

/**
 * The config that `-c` names, else the first of the usual places, and above it what remote commands changed. Fails with
 * `CONFIG_INVALID` or `CONFIG_NOT_FOUND`. `--log-level` goes before `level`: the config's own is the daemon's, and a
 * person at a terminal wants the result.
 */
export async function loadSettings(
  context: CommandContext,
  level: LogLevel | "config" = "error",
  { start = false, logRing = new LogRing(), lastGood = false, partsMayLack = false }: LoadOptions = {},
): Promise<Settings> {
  const file = await configFileOf(context);
  const { operator, standIn, refused, warnings, dataFolder, layered, overlay } = await inForce(context, file, {
    start,
    lastGood,
    partsMayLack,
  });
  const { secrets } = layered;
  const config = withAbsolutePaths(layered.config, file);
  context.hide(secrets);
  const { log, control } = createControlledLogger({
    level: context.logLevel ?? (level === "config" ? config.log.level : level),
    secrets,
    journald: context.environment["JOURNAL_STREAM"] !== undefined,
    ring: logRing,
    clock: context.clock,
    ...watchedLog(context),
  });
  return {
    ...layered,
    ...{ config, file, operator, overlay, dataFolder },
    ...(standIn === undefined ? {} : { standIn }),
    ...(refused === undefined ? {} : { refused }),
    warnings: [
      ...warnings,
      ...overlay.warnings,
      ...layered.warnings.map(formatProblem),
      ...config.cameras.flatMap(cameraWarnings),
      ...config.targets.flatMap(targetWarnings),
      ...detectorWarnings(config.detector),
      ...remoteWarnings(config.remote),
      ...webWarnings(config.web),
      ...privacyWarnings(config),
      ...(await budgetWarnings(config, dataFolder)),
    ],
    ...{ log, logControl: control, logRing },
  };
}

/** At a terminal the log is for the eyes: lines that a person reads, above the status line. See no-color.org. */
function watchedLog({ terminal, environment }: CommandContext): { readonly destination?: LogDestination } {
  if (!terminal.isWatched) return {};
  const coloured = (environment["NO_COLOR"] ?? "") === "";
  return { destination: { write: (line) => terminal.note(terminalLine(line, coloured)) } };
}

/** For a person who looks at the agent's health. */
export function configTroubles({ refused, standIn }: Pick<Settings, "refused" | "standIn">): readonly string[] {
  if (refused === undefined) return [];
  const inForce =
    standIn === undefined ? "the one before it" : `the last good one, of version ${standIn.agentVersion},`;
  return [`the config file is refused and ${inForce} is in force: ${refused.message}`];
}

type Operator = OperatorFile<typeof configSchema>;

interface Layers extends Awaited<ReturnType<typeof withOverlay>> {
  readonly operator: Operator;
  readonly dataFolder: string;
}

interface InForce extends Layers {
  readonly standIn?: ConfigStandIn;
  readonly refused?: ConfigError;
  readonly warnings: readonly string[];
}

/** The file with what is above it, or, where they cannot be used, the last good one with it. */
async function inForce(
  context: CommandContext,
  file: string,
  { start, lastGood, partsMayLack }: Required<Omit<LoadOptions, "logRing">>,
): Promise<InForce> {
  const environment = { variables: context.environment, ...(partsMayLack ? { mayLack } : {}) };
  const layersOf = async (operator: Operator): Promise<Layers> => {
    const dataFolder = dataFolderOf(context, withAbsolutePaths(operator.alone.config, file), file);
    return { operator, dataFolder, ...(await withOverlay(operator, overlayPathOf(dataFolder), start)) };
  };
  try {
    return { ...(await layersOf(await OperatorFile.read(file, configSchema, environment))), warnings: [] };
  } catch (error) {
    if (!lastGood || !(error instanceof ConfigError)) throw error;
    const folderOf: DataFolderOf = ({ dataDir }) =>
      dataFolderOf(context, dataDir === undefined ? {} : { dataDir: resolve(dirname(file), dataDir) }, file);
    const good = await standInFor({ file, error }, { folderOf, environment, layersOf });
    const warnings = good.leftOut.map(leftOutWarning);
    return { ...good.layers, warnings, standIn: { agentVersion: good.agentVersion }, refused: error };
  }
}

function leftOutWarning({ path, because }: LeftOut): string {
  const setting = path.join(".");
  return because === "unknown"
    ? `${setting} is not known to this version, and is left out`
    : `the value of ${setting} is refused by this version, and its default is in force`;
}

export async function configFileOf(context: CommandContext): Promise<string> {
  if (context.configFile !== undefined) return context.configFile;
  for (const place of places) {
    if (await exists(place)) return place;
  }
  throw new AgentError("CONFIG_NOT_FOUND", `no config file: looked for ${places.join(" and ")}`, {
    disposition: "fatal",
  });
}

/** `--data`, else the config's `dataDir`, else systemd's state folder, else the usual place for where the config lies. */
function dataFolderOf(context: CommandContext, config: Pick<FramepostConfig, "dataDir">, file: string): string {
  if (context.dataFolder !== undefined) return resolve(context.dataFolder);
  if (config.dataDir !== undefined) return config.dataDir;
  // systemd names several folders with colons between them; the unit has one.
  const fromService = context.environment["STATE_DIRECTORY"]?.split(":")[0];
  if (fromService !== undefined && fromService !== "") return fromService;
  const configFolder = dirname(resolve(file));
  return configFolder.startsWith("/etc") ? "/var/lib/framepost" : join(configFolder, "framepost-data");
}
