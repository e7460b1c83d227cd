import { spawnSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AgentError, errnoOf } from "../../src/core/errors.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { exists } from "../files.ts";
import { hiddenFromService, type UnitPlaces, unitText } from "../service/unit-text.ts";
import { packageFolder } from "../version.ts";

/** The service of an installation by npm; the Debian package brings its own. */

export interface ServiceOptions {
  readonly force?: true;
  /** In place of `/etc`. */
  readonly etc?: string;
}

const sysusers = `# The user of framepost.service; its devices' group is in the unit.
u framepost - "Framepost" /var/lib/framepost
`;

export async function servicePrint(context: CommandContext): Promise<ExitCode> {
  context.terminal.data((await ownUnit(context)).trimEnd());
  return exitCodes.ok;
}

/** Writes the unit and its user; starts nothing. One that was edited stays unless it is forced. */
export async function serviceInstall(
  context: CommandContext,
  { force, etc = "/etc" }: ServiceOptions,
): Promise<ExitCode> {
  const { unit, user } = placesIn(etc);
  const text = await ownUnit(context);
  const hidden = hiddenFromService(placesOf(context));
  if (hidden !== undefined) {
    const why = `${hidden} lies in a home folder, which the service may not see`;
    throw new AgentError("SERVICE_HIDDEN", `${why}: install Node and framepost for the whole system`, {
      disposition: "fatal",
    });
  }
  const before = await textOf(unit);
  if (before !== undefined && before !== text && force !== true) {
    const why = `${unit} is there and differs: --force replaces it`;
    throw new AgentError(
      "SERVICE_EXISTS",
      `${why}; changes of your own belong into a drop-in (systemctl edit framepost)`,
      {
        disposition: "fatal",
      },
    );
  }
  await asRoot(unit, () => writeFile(unit, text, { mode: 0o644 }));
  await asRoot(user, () => writeFile(user, sysusers, { mode: 0o644 }));
  const { config } = placesOf(context);
  context.terminal.data(`written: ${unit} and ${user}`);
  context.terminal.note("next:");
  if (!(await exists(config))) context.terminal.note(`  framepost init --output ${config}`);
  for (const line of [
    "systemd-sysusers",
    `chgrp framepost ${config} && chmod 0640 ${config}`,
    "systemctl daemon-reload",
    "systemctl enable --now framepost",
  ]) {
    context.terminal.note(`  ${line}`);
  }
  return exitCodes.ok;
}

/** Takes the unit away; user, config and data stay. */
export async function serviceUninstall(
  context: CommandContext,
  { force, etc = "/etc" }: ServiceOptions,
): Promise<ExitCode> {
  const { unit, user } = placesIn(etc);
  const before = await textOf(unit);
  if (before === undefined) {
    context.terminal.data(`not installed: there is no ${unit}`);
    return exitCodes.ok;
  }
  if (before !== (await ownUnit(context)) && force !== true) {
    throw new AgentError("SERVICE_EXISTS", `${unit} is not as framepost wrote it: --force removes it`, {
      disposition: "fatal",
    });
  }
  await asRoot(unit, () => rm(unit, { force: true }));
  await asRoot(user, () => rm(user, { force: true }));
  const wanted = join(etc, "systemd/system/multi-user.target.wants/framepost.service");
  await asRoot(wanted, () => rm(wanted, { force: true }));
  context.terminal.data(`removed: ${unit}; the data and the user framepost stay`);
  for (const line of ["next:", "  systemctl stop framepost", "  systemctl daemon-reload"]) context.terminal.note(line);
  return exitCodes.ok;
}

/** What systemd says of it; exit 1 where it does not run. */
export async function serviceStatus(context: CommandContext, { etc = "/etc" }: ServiceOptions): Promise<ExitCode> {
  const { unit } = placesIn(etc);
  const shown = ["ActiveState", "SubState", "StatusText", "NRestarts", "MainPID"];
  const asked = spawnSync("systemctl", ["show", "framepost", `--property=${shown.join(",")}`], { encoding: "utf8" });
  const facts: Readonly<Record<string, string>> = Object.fromEntries(
    asked.stdout.split("\n").filter(Boolean).map(cutAtEquals),
  );
  const own = await textOf(unit);
  const file =
    own === undefined ? "none" : own === (await ownUnit(context)) ? "as written" : "edited, or of another version";
  const { ActiveState: state = "unknown: systemd does not answer" } = facts;
  if (context.json) context.terminal.data(JSON.stringify({ unit: file, ...facts }));
  else {
    context.terminal.data(`unit ${unit}: ${file}`);
    context.terminal.data(`state: ${state}${facts["StatusText"] ? ` (${facts["StatusText"]})` : ""}`);
  }
  return state === "active" || state === "reloading" ? exitCodes.ok : exitCodes.failed;
}

async function ownUnit(context: CommandContext): Promise<string> {
  const shipped = await readFile(join(packageFolder, "systemd", "framepost.service"), "utf8");
  return unitText(shipped, placesOf(context));
}

function placesOf({ configFile }: CommandContext): UnitPlaces {
  const config = configFile === undefined ? "/etc/framepost/framepost.yaml" : resolve(configFile);
  return { node: process.execPath, program: join(packageFolder, "dist", "agent", "main.js"), config };
}

function placesIn(etc: string): { readonly unit: string; readonly user: string } {
  return { unit: join(etc, "systemd/system/framepost.service"), user: join(etc, "sysusers.d/framepost.conf") };
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function asRoot(file: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "EACCES" && code !== "EPERM") throw error;
    throw new AgentError("SERVICE_DENIED", `${file} is for root alone: run this command with sudo`, {
      disposition: "fatal",
      cause: error,
    });
  }
}

function cutAtEquals(line: string): readonly [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)];
}
