import { join, resolve } from "node:path";
import { readDocument, type ConfigDocument } from "../src/config/document.ts";
import { OperatorFile } from "../src/config/layers.ts";
import { readConfigText } from "../src/config/load.ts";
import { digestOfFile } from "../src/config/overlay-file.ts";
import type { ConfigEnvironment } from "../src/config/placeholders.ts";
import { ConfigError, explained } from "../src/config/problem.ts";
import {
  isProtectiveText,
  mayBeLeftOut,
  protections,
  refusedValues,
  unknownSettings,
  without,
} from "../src/config/unknown-settings.ts";
import { YamlSource, type ConfigPath } from "../src/config/yaml.ts";
import { errnoOf } from "../src/core/errors.ts";
import { configLimits } from "../src/core/limits.ts";
import { readGoodConfigs, type GoodConfig } from "../src/state/good-configs.ts";
import { configSchema } from "./config-schema.ts";
import { agentVersion } from "./version.ts";

type Operator = OperatorFile<typeof configSchema>;

/** A config that worked, in place of one that cannot be used. */
export interface StandIn<Layers> {
  /** It, with what is above it. */
  readonly layers: Layers;
  /** The version of the agent that ran with it. */
  readonly agentVersion: string;
  /** What this version does not know of it, or refuses, so that defaults serve. */
  readonly leftOut: readonly LeftOut[];
}

export interface LeftOut {
  readonly path: ConfigPath;
  readonly because: "unknown" | "refused";
}

export interface Refused {
  readonly file: string;
  readonly error: ConfigError;
}

interface StandInParts<Layers> {
  readonly folderOf: DataFolderOf;
  readonly environment: ConfigEnvironment;
  /** With what is above it. Fails with a ConfigError where they do not fit. */
  readonly layersOf: (operator: Operator) => Promise<Layers>;
}

/** Where the daemon keeps its state, as far as a file says that cannot be used. */
export type DataFolderOf = (dataDir: { readonly dataDir?: string }) => string;

/**
 * The latest config with which the agent ran, for a file that this version or a slip of the operator's keeps from being
 * used. It fails closed: the stand-in must say the same of cameras, targets, filters, privacy, encryption, page and remote
 * control as far as the file can be read, or whoever has just tightened one of them would get the opposite. Where there is none that may be
 * used, it throws the file's own error, and why.
 */
export async function standInFor<Layers>(
  { file, error }: Refused,
  { folderOf, environment, layersOf }: StandInParts<Layers>,
): Promise<StandIn<Layers>> {
  // A file that is gone was taken away: that is how an operator ends an agent.
  if (errnoOf(error.cause) === "ENOENT") throw error;
  const text = await readConfigText(file).catch(() => "");
  const document = documentOf(text, file);
  const folder = folderOf(dataDirIn(text, document));
  const good = await readGoodConfigs(join(folder, "state")).catch(() => []);
  const why: string[] = [];
  for (const config of good.filter((each) => each.file === resolve(file))) {
    const differs = whatDiffers(text, document, config);
    if (differs !== undefined) {
      why.push(differs);
      continue;
    }
    try {
      const { operator, leftOut } = await loaded(config, { file, text, environment });
      return { layers: await layersOf(operator), agentVersion: config.agentVersion, leftOut };
    } catch (problem) {
      if (!(problem instanceof ConfigError)) throw problem;
      why.push(problem.message);
    }
  }
  const [reason] = why;
  throw reason === undefined ? error : explained(error, `the last good config is not used: ${reason}`);
}

function documentOf(text: string, file: string): ConfigDocument | undefined {
  try {
    return readDocument(text, file);
  } catch {
    return undefined;
  }
}

function dataDirIn(text: string, document: ConfigDocument | undefined): { readonly dataDir?: string } {
  const line = /^dataDir:.*$/m.exec(text)?.[0] ?? "";
  const value = document?.value ?? new YamlSource(line).value;
  const isSaid = typeof value === "object" && value !== null && "dataDir" in value;
  return isSaid && typeof value.dataDir === "string" ? { dataDir: value.dataDir } : {};
}

/** What a file without any content says is nothing: a power cut has taken it. */
function whatDiffers(text: string, document: ConfigDocument | undefined, good: GoodConfig): string | undefined {
  if (good.digest === digestOfFile(text) || /^[\s\0]*$/.test(text)) return undefined;
  const before = documentOf(good.text, good.file);
  if (document === undefined || before === undefined) {
    const unreadable = "the file differs from it, and what it says of cameras, targets and privacy cannot be read";
    return before !== undefined && saysTheSame(text, good.text) ? undefined : unreadable;
  }
  const [now, then] = [protections(document.value), protections(before.value)];
  const changed = now.find((line) => !then.includes(line)) ?? then.find((line) => !now.includes(line));
  return changed === undefined ? undefined : `${settingIn(changed)} is not the same there`;
}

/** The value may be a secret. */
function settingIn(line: string): string {
  return line.slice(0, line.indexOf(": "));
}

/** Of two texts of which one is no YAML: whether they differ only in lines that protect nobody. */
function saysTheSame(text: string, good: string): boolean {
  const guarded = (all: string) =>
    all
      .split("\n")
      .map((line) => line.replace(/\s#.*$|^#.*$/, "").trim())
      .filter((line) => guardedLine.test(line) || isProtectiveText(line))
      .sort()
      .join("\n");
  return guarded(text) === guarded(good);
}

/**
 * Items of lists, which may be corners of a mask or labels, what says when a camera or a target is at work, and whom the
 * page and remote control let in.
 */
const guardedLine =
  /^-|^(id|enabled|minScore|include\w*|schedule|windows|days|from|to|web|remote|listen|token|username|password|keys?|unsigned|url)\b/;

/** Once migrated, and without what this version does not know, or refuses, and may do without. */
async function loaded(
  good: GoodConfig,
  {
    file,
    text,
    environment,
  }: { readonly file: string; readonly text: string; readonly environment: ConfigEnvironment },
) {
  let document = readDocument(good.text, file);
  const mayRefuse = good.digest === digestOfFile(text) && good.agentVersion !== agentVersion();
  const leftOut: LeftOut[] = [];
  for (let round = 0; round < configLimits.leaveOutRoundsMax; round += 1) {
    const { value } = document;
    const unknown = unknownSettings(configSchema, value).filter(mayBeLeftOut);
    const refused = mayRefuse ? refusedValues(configSchema, value) : [];
    const paths = [...unknown, ...refused];
    if (paths.length === 0) break;
    leftOut.push(...unknown.map((path) => ({ path, because: "unknown" as const })));
    leftOut.push(...refused.map((path) => ({ path, because: "refused" as const })));
    document = { ...document, value: paths.reduce<unknown>(without, value) };
  }
  const operator = await OperatorFile.of({ file, text: good.text, document }, configSchema, environment);
  return { operator, leftOut };
}
