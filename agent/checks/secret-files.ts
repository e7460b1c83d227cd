import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { defaultCredentialsFolder } from "../../src/config/placeholders.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Settings } from "../settings.ts";
import { endpointsOf } from "./endpoints.ts";
import type { CheckResult } from "./result.ts";

const check = "secrets";
const byOthers = 0o007;
const byGroup = 0o070;
/** A folder of secrets holds some; it is not searched for ever. */
const filesMax = 256;

/**
 * Whether other users of this machine can read what is secret: a config file with passwords in it, the credentials, the
 * buffer of pictures, the keys of certificates. What the config's placeholders name is told by its own warnings.
 */
export async function secretFileChecks(
  { file, dataFolder, warnings, config }: Pick<Settings, "file" | "dataFolder" | "warnings" | "config">,
  credentialsFolder: string = defaultCredentialsFolder,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  const open = (path: string, what: string, mode: string) =>
    results.push({ check, result: "failed", found: `${path}: ${what}`, mend: `sudo chmod ${mode} ${path}` });
  const holdsSecrets = warnings.some((warning) => warning.includes(plainSecret));
  if (holdsSecrets && (await isOpen(file, byOthers)))
    open(file, "it holds passwords, and every user can read it", "o-rwx");
  if (await isOpen(dataFolder, byOthers | byGroup))
    open(dataFolder, "other users can read its pictures and state", "0700");
  if (await isOpen(credentialsFolder, byOthers)) open(credentialsFolder, "every user can look into it", "o-rwx");
  for (const name of await namesIn(credentialsFolder)) {
    const path = join(credentialsFolder, name);
    // The group may be the service's own.
    if (await isOpen(path, byOthers)) open(path, "every user can read it", "o-rwx");
  }
  for (const path of keyFilesOf(config)) {
    if (await isOpen(path, byOthers)) open(path, "a private key, and every user can read it", "o-rwx");
  }
  if (results.length > 0) return results;
  return [
    {
      check,
      result: "ok",
      found: "no other user can read the config's secrets, keys, the credentials or the data folder",
    },
  ];
}

/** How the config's own warning of such a secret is worded. */
const plainSecret = "a secret in plain text";

async function isOpen(path: string, bits: number): Promise<boolean> {
  try {
    return ((await stat(path)).mode & bits) !== 0;
  } catch {
    return false;
  }
}

function keyFilesOf(config: Pick<FramepostConfig, "web" | "targets" | "remote">): readonly string[] {
  const keys = [config.web.tls?.key, ...endpointsOf(config).map(({ tls }) => tls?.key)];
  return [...new Set(keys.filter((key) => key !== undefined))];
}

async function namesIn(folder: string): Promise<readonly string[]> {
  // Whoever may not look into it cannot judge it; the service's user may, and root.
  return (await readdir(folder).catch(() => [])).slice(0, filesMax);
}
