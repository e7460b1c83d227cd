import { join } from "node:path";
import { stateLimits } from "../core/limits.ts";
import { StateFile, type StateFileOptions } from "./state-file.ts";

/** A config file with which an agent ran for a while. */
export interface GoodConfig {
  /** Its path: another file's config is no stand-in. */
  readonly file: string;
  /** As the operator wrote it, placeholders unresolved. */
  readonly text: string;
  readonly digest: string;
  readonly agentVersion: string;
}

export interface GoodConfigs {
  /** The latest first, one for each version of the agent. */
  readonly configs: readonly GoodConfig[];
}

/** `config.good.json` in the state folder. Fails with `STATE_…`. */
export async function openGoodConfigs(stateFolder: string): Promise<StateFile<GoodConfigs>> {
  return StateFile.open(fileIn(stateFolder));
}

/** Without making a file where there is none. */
export async function readGoodConfigs(stateFolder: string): Promise<readonly GoodConfig[]> {
  return (await StateFile.read(fileIn(stateFolder)))?.configs ?? [];
}

/** With `good` as the latest; undefined where it is that already. */
export function withGoodConfig({ configs }: GoodConfigs, good: GoodConfig): GoodConfigs | undefined {
  const [latest] = configs;
  const isKnown = latest !== undefined && isSame(latest, good);
  if (isKnown) return undefined;
  const others = configs.filter(({ agentVersion, file }) => agentVersion !== good.agentVersion || file !== good.file);
  return { configs: [good, ...others].slice(0, stateLimits.goodConfigsMax) };
}

function isSame(one: GoodConfig, other: GoodConfig): boolean {
  return one.file === other.file && one.digest === other.digest && one.agentVersion === other.agentVersion;
}

function fileIn(stateFolder: string): StateFileOptions<GoodConfigs> {
  return {
    path: join(stateFolder, "config.good.json"),
    version: 1,
    bytesMax: stateLimits.goodConfigsBytesMax,
    parse,
    initial: () => ({ configs: [] }),
  };
}

function parse(value: unknown): GoodConfigs {
  if (typeof value !== "object" || value === null || !("configs" in value) || !Array.isArray(value.configs)) {
    throw new Error("it is no list of configs");
  }
  return { configs: value.configs.map(parseOne) };
}

function parseOne(value: unknown): GoodConfig {
  if (typeof value !== "object" || value === null) throw new Error("a config is no object");
  const { file, text, digest, agentVersion } = value as Readonly<Record<string, unknown>>;
  if (typeof file !== "string" || typeof text !== "string") throw new Error("a config has no text");
  if (typeof digest !== "string" || typeof agentVersion !== "string") throw new Error("a config names no version");
  return { file, text, digest, agentVersion };
}
