import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CheckResult } from "./result.ts";
import { packageFolder } from "../version.ts";

const check = "service";
const unit = "framepost.service";
/** Where systemd looks, the operator's own first. */
const unitFolders = [
  "etc/systemd/system",
  "run/systemd/system",
  "usr/local/lib/systemd/system",
  "usr/lib/systemd/system",
  "lib/systemd/system",
];
const wants = "etc/systemd/system/multi-user.target.wants";
const shippedPlaces = [join(packageFolder, "systemd", unit)];

export interface UnitPlaces {
  /** `/` but for tests. */
  readonly root: string;
  /** The unit that comes with this version; the first that is there counts. */
  readonly shipped: readonly string[];
}

/** Whether systemd starts the daemon of this config, with the unit of this version. */
export async function unitCheck(
  configFile: string,
  { root, shipped }: UnitPlaces = { root: "/", shipped: shippedPlaces },
): Promise<CheckResult> {
  if (!(await isThere(join(root, "run/systemd/system")))) {
    return { check, result: "ok", found: "systemd does not run this machine; something else has to start the daemon" };
  }
  const installed = await firstText(unitFolders.map((folder) => join(root, folder, unit)));
  if (installed === undefined) {
    const found = `no ${unit} is installed, so nothing starts the daemon with the machine`;
    // Who tries it in a folder of their own wants no service yet.
    if (!configFile.startsWith("/etc/")) return { check, result: "ok", found };
    return { check, result: "failed", found, mend: "sudo framepost service install" };
  }
  if (!(await isThere(join(root, wants, unit)))) {
    const found = `${installed.path} is there, but not enabled: nothing starts it with the machine`;
    return { check, result: "failed", found, mend: "sudo systemctl enable --now framepost" };
  }
  const ours = await firstText(shipped);
  if (ours !== undefined && directives(ours.text) !== directives(installed.text)) {
    const found = `${installed.path} is not the unit of this version`;
    const mend = `compare: diff ${installed.path} ${ours.path}; own changes belong into: sudo systemctl edit framepost; then: sudo framepost service install`;
    return { check, result: "warning", found, mend };
  }
  return { check, result: "ok", found: `${installed.path} is installed and enabled` };
}

/** Of a daemon that was not found: undefined where nothing says that one should run with this config. */
export async function awayCheck(configFile: string, root = "/"): Promise<CheckResult | undefined> {
  const isStarted = configFile.startsWith("/etc/") && (await isThere(join(root, "run/systemd/system")));
  if (!isStarted || !(await isThere(join(root, wants, unit)))) return undefined;
  const mend = "systemctl status framepost says why; then: sudo systemctl start framepost";
  return { check: "daemon", result: "warning", found: "the service is enabled, and it does not run", mend };
}

/** What the unit does, without how it is written, and without what an installation fills in. */
function directives(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !/^[#;]|^(ExecStart|User|Group|Environment)=/.test(line)).join("\n");
}

async function firstText(
  paths: readonly string[],
): Promise<{ readonly path: string; readonly text: string } | undefined> {
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) return { path, text };
  }
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
