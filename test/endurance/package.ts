import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchTable, Verdict } from "../bench/table.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { DebianRoot, debianRootTrouble } from "../lib/debian-root.ts";
import { InstalledService } from "../lib/installed-service.ts";
import { until } from "../lib/poll.ts";
import { freePort } from "../lib/mosquitto.ts";
import { repositoryFolder } from "../lib/shared.ts";
import { runProgram } from "../lib/shell.ts";
import { leftOut } from "./suite.ts";

const title = "Packages in a clean Debian 13";
const token = "package-suite-token";
const elfMachines = { amd64: 62, arm64: 183 } as const;
type Architecture = keyof typeof elfMachines;

/** What an operator has, and must find again. */
const config = "etc/framepost/framepost.yaml";
const credential = "etc/framepost/credentials/iotown";
const data = "var/lib/framepost";
const kept = [config, credential, `${data}/state/device.json`, `${data}/spool/VERSION`, `${data}/dataset`];
/** What is the package's own. */
const program = "usr/lib/framepost/dist/agent/main.js";
const unit = "usr/lib/systemd/system/framepost.service";
const owned = [program, unit, "usr/bin/framepost", "usr/lib/sysusers.d/framepost.conf", "usr/share/doc/framepost"];

/**
 * The packages as a gateway meets them: built twice to the same bytes, installed, run by their unit's own words, upgraded,
 * downgraded, removed and purged. Everything but the fetching of packages is on loopback.
 */
export async function packages(): Promise<BenchTable> {
  const trouble = debianRootTrouble();
  if (trouble !== undefined) return leftOut(title, trouble);
  const checks = new Checks();
  const home = mkdtempSync(join(tmpdir(), "framepost-packages-"));
  const native: Architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const first = build(join(home, "first"), ["amd64", "arm64"]);
  const second = build(join(home, "second"), [native], { umask: 0o077 });
  const newer = build(join(home, "newer"), [native], { suffix: "+test2" });
  checks.is("a second build differs in bytes", second[native].equals(first[native]) ? 0 : 1, 0);
  for (const architecture of ["amd64", "arm64"] as const) {
    checkBinaries(checks, architecture, join(home, "first"));
    checks.figure(`${architecture}: package, MB`, first[architecture].length / 1e6);
  }
  await withRoot(checks, {
    old: fileIn(join(home, "first"), native),
    newer: fileIn(join(home, "newer"), native),
    bytes: newer[native].length,
  });
  return { title, columns: ["what", "figure"], rows: checks.rows, verdicts: checks.verdicts };
}

interface Versions {
  readonly old: string;
  readonly newer: string;
  readonly bytes: number;
}

async function withRoot(checks: Checks, { old, newer }: Versions): Promise<void> {
  const startedMs = performance.now();
  using root = new DebianRoot("trixie");
  checks.figure("clean root, s", (performance.now() - startedMs) / 1_000);
  root.apt("update");
  install(root, old);
  checks.figure("installed, MB", Number(root.run("dpkg-query", "-W", "-f=${Installed-Size}", "framepost")) / 1_024);
  checks.figure("nodejs of Debian 13", root.run("node", "--version").trim());
  checks.none(
    "missing after the installation",
    owned.filter((path) => !root.has(path)),
  );
  checks.is("mode of the config", statSync(root.in(config)).mode & 0o777, 0o640);
  checks.is("mode of the data folder", statSync(root.in(data)).mode & 0o777, 0o700);
  const asUser = ["setpriv", "--reuid=framepost", "--regid=framepost", "--clear-groups"];
  root.run(...asUser, "framepost", "config", "check", "-c", `/${config}`);
  // The instruments: what a gateway does not need.
  root.apt("install", "python3-seccomp");

  const url = { port: await freePort() };
  root.write(config, configText(url.port));
  root.write(credential, token, 0o640);
  root.run("chown", "root:framepost", `/${config}`, `/${credential}`);

  const device = await runsAndDelivers(root, checks, "installed", url.port);
  const before = await leavesRecords(root);
  checks.atLeast("records waiting before the upgrade", before, 1);
  install(root, newer);
  checks.none(
    "gone after the upgrade",
    kept.filter((path) => !root.has(path)),
  );
  checks.is(
    "configs changed by the upgrade",
    Number(readFileSync(root.in(config), "utf8") !== configText(url.port)),
    0,
  );
  const upgraded = await runsAndDelivers(root, checks, "upgraded", url.port);
  checks.is("identities changed by the upgrade", Number(upgraded !== device), 0);

  root.apt("install", "--allow-downgrades", put(root, old));
  const downgraded = await runsAndDelivers(root, checks, "downgraded", url.port);
  checks.is("identities changed by the downgrade", Number(downgraded !== device), 0);

  root.apt("remove", "framepost");
  checks.none(
    "left by the removal",
    [program, unit, "usr/bin/framepost"].filter((path) => root.has(path)),
  );
  checks.none(
    "taken by the removal",
    kept.filter((path) => !root.has(path)),
  );
  install(root, old);
  checks.is(
    "configs changed by a removal and back",
    Number(readFileSync(root.in(config), "utf8") !== configText(url.port)),
    0,
  );
  root.apt("purge", "framepost");
  const enabled = "etc/systemd/system/multi-user.target.wants/framepost.service";
  const gone = ["etc/framepost", data, "usr/lib/framepost", "usr/share/framepost", ...owned, enabled];
  checks.none(
    "left by the purge",
    gone.filter((path) => root.has(path)),
  );
  checks.is("users left by the purge", root.run("getent", "passwd", "framepost").split("\n").length - 1, 1);
}

function install(root: DebianRoot, file: string): void {
  root.apt("install", put(root, file));
}

/** The package's path inside. */
function put(root: DebianRoot, file: string): string {
  runProgram("cp", file, root.in("root"));
  return `/root/${file.slice(file.lastIndexOf("/") + 1)}`;
}

/** The unit's own command line, until records have come to the platform and to the disk. The device's id. */
async function runsAndDelivers(root: DebianRoot, checks: Checks, what: string, port: number): Promise<string> {
  const platform = new IotownSandbox({ token, port });
  await platform.start();
  const startedMs = performance.now();
  await using service = new InstalledService(root, `/${unit}`);
  try {
    await service.until(`a record at the platform (${what})`, () => platform.stored().length > 0);
    checks.figure(`${what}: first record delivered after, s`, (performance.now() - startedMs) / 1_000);
    await until(() => imagesIn(root).length > 0, "a picture in the data set", 60_000);
    const { user, seccomp, noNewPrivileges, capabilities } = service.confinement();
    checks.is(`${what}: runs as somebody else`, Number(user !== "framepost"), 0);
    checks.is(`${what}: system-call filter (2 is on)`, seccomp, 2);
    checks.is(`${what}: no new privileges`, noNewPrivileges, 1);
    checks.is(`${what}: capabilities`, capabilities, 0);
    checks.is(`${what}: violations of the contract`, platform.violations().length, 0);
    checks.is(`${what}: exit status at SIGTERM`, await service.stop(), 0);
  } finally {
    await platform.stop();
  }
  return readFileSync(root.in(`${data}/state/device.json`), "utf8").match(/"deviceId": "([^"]+)"/)?.[1] ?? "none";
}

/** Lets it run without its platform. How many records are waiting then. */
async function leavesRecords(root: DebianRoot): Promise<number> {
  await using service = new InstalledService(root, `/${unit}`);
  const records = () => envelopesIn(root).length;
  await service.until("records that wait", () => records() >= 2);
  await service.stop();
  return records();
}

function imagesIn(root: DebianRoot): readonly string[] {
  return filesBelow(root.in(data, "dataset")).filter((name) => name.endsWith(".jpg"));
}

function envelopesIn(root: DebianRoot): readonly string[] {
  return filesBelow(root.in(data, "spool/data")).filter((name) => name.endsWith(".jpg"));
}

function filesBelow(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
}

function configText(port: number): string {
  const size = { width: 320, height: 240 };
  const wants = { includeEmpty: true, includeUnlabelled: true };
  return JSON.stringify({
    cameras: [{ id: "scene", driver: "simulated", interval: "1s", keep: { negativesEvery: 1 }, ...size }],
    targets: [
      { id: "platform", kind: "iotown", url: `http://127.0.0.1:${port}`, token: "${credential:iotown}", ...wants },
      { id: "dataset", kind: "folder", path: "/var/lib/framepost/dataset", ...wants },
    ],
    web: { enabled: false },
  });
}

/** Each package's bytes. */
function build(
  out: string,
  architectures: readonly Architecture[],
  { suffix, umask = 0o022 }: { readonly suffix?: string; readonly umask?: number } = {},
): Readonly<Record<Architecture, Buffer>> {
  mkdirSync(out, { recursive: true });
  const words = [
    "scripts/package.mjs",
    ...architectures,
    "--out",
    out,
    ...(suffix === undefined ? [] : ["--suffix", suffix]),
  ];
  const before = process.umask(umask);
  try {
    const { status, stderr } = spawnSync(process.execPath, words, { cwd: repositoryFolder, encoding: "utf8" });
    if (status !== 0) throw new Error(`npm run package: ${stderr}`);
  } finally {
    process.umask(before);
  }
  const bytesOf = (name: Architecture) =>
    architectures.includes(name) ? readFileSync(fileIn(out, name)) : Buffer.alloc(0);
  return { amd64: bytesOf("amd64"), arm64: bytesOf("arm64") };
}

function fileIn(folder: string, architecture: Architecture): string {
  const name = readdirSync(folder).find((each) => each.endsWith(`_${architecture}.deb`));
  if (name === undefined) throw new Error(`no package for ${architecture} in ${folder}`);
  return join(folder, name);
}

/** Every library and addon of a package is for its own machine. */
function checkBinaries(checks: Checks, architecture: Architecture, folder: string): void {
  const content = join(folder, `content-${architecture}`);
  runProgram("dpkg-deb", "-x", fileIn(folder, architecture), content);
  const binaries = filesBelow(content).filter((name) => /\.node$|\.so(\.|$)|\.dylib$|\.dll$|\.exe$/.test(name));
  const foreign = binaries.filter((name) => {
    const header = readFileSync(join(content, name)).subarray(0, 20);
    return header.readUInt32BE(0) !== 0x7f454c46 || header.readUInt16LE(18) !== elfMachines[architecture];
  });
  checks.atLeast(`${architecture}: native libraries`, binaries.length, 4);
  checks.none(`${architecture}: libraries of another machine`, foreign);
}

class Checks {
  readonly rows: (readonly [string, string | number])[] = [];
  readonly verdicts: Verdict[] = [];

  figure(name: string, value: number | string): void {
    this.rows.push([name, typeof value === "number" ? Number(value.toFixed(1)) : value]);
  }

  is(name: string, value: number, expected: number): void {
    this.verdicts.push({ name, value, bound: String(expected), holds: value === expected });
  }

  atLeast(name: string, value: number, boundMin: number): void {
    this.verdicts.push({ name, value, bound: `≥ ${boundMin}`, holds: value >= boundMin });
  }

  none(name: string, paths: readonly string[]): void {
    for (const path of paths) process.stdout.write(`${name}: ${path}\n`);
    this.is(name, paths.length, 0);
  }
}
