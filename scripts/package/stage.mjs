// The program's own folder as it is installed: compiled code, dependencies for one machine, models, documents.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { architectures } from "./elf.mjs";
import { prune } from "./prune.mjs";

/** What a user reads or the program opens, beside the compiled code. */
const shipped = [
  "package.json",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
  "config",
  "docs",
  "models/README.md",
  "src/web/static",
  "systemd",
];

/** Seconds since 1970: SOURCE_DATE_EPOCH, else the last commit's. */
export function sourceDate() {
  const given = process.env["SOURCE_DATE_EPOCH"];
  const text = given ?? run("git", ["log", "-1", "--format=%ct"]);
  if (!/^\d{1,11}\s*$/.test(text)) throw new Error("neither SOURCE_DATE_EPOCH nor the last commit gives a date");
  return Number(text);
}

/** Into an empty folder: one that is built again and again keeps what no source makes any more. */
export function compile(folder) {
  const tsc = "node_modules/typescript-native/bin/tsc";
  const options = ["-p", "tsconfig.json", "--outDir", folder, "--incremental", "false", "--sourceMap", "false"];
  // A build without the incremental file must not name one.
  run(process.execPath, [tsc, ...options, "--tsBuildInfoFile", "null"]);
  for (const name of ["test", "models"]) rmSync(join(folder, name), { recursive: true, force: true });
}

export function stageProgram(folder, { compiled, architecture }) {
  mkdirSync(folder, { recursive: true });
  for (const path of shipped) cpSync(path, join(folder, path), { recursive: true });
  for (const path of targetPages()) cpSync(path, join(folder, path));
  for (const name of readdirSync("models/tiny").filter((file) => !file.endsWith(".ts"))) {
    cpSync(join("models/tiny", name), join(folder, "models/tiny", name));
  }
  cpSync(compiled, join(folder, "dist"), { recursive: true });
  chmodSync(join(folder, "dist/agent/main.js"), 0o755);
  installDependencies(folder, architecture);
}

/** What docs/ refers to among the sources. */
function targetPages() {
  return readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("README.md"))
    .map((path) => join("src", path));
}

function installDependencies(folder, architecture) {
  const { cpu } = architectures[architecture];
  for (const name of ["package-lock.json", ".npmrc"]) cpSync(name, join(folder, name));
  const place = ["--os=linux", `--cpu=${cpu}`, "--libc=glibc"];
  run("npm", ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", ...place], folder);
  const modules = join(folder, "node_modules");
  // npm's notes name the registry that this machine uses.
  for (const path of [join(modules, ".package-lock.json"), join(folder, "package-lock.json"), join(folder, ".npmrc")]) {
    rmSync(path, { force: true });
  }
  prune(modules, architecture);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const { name, version, description, license, type, engines, bin, dependencies } = manifest;
  const kept = { name, version, description, license, type, engines, bin, dependencies };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(kept, undefined, 2)}\n`);
}

function run(command, words, cwd = dirname(dirname(import.meta.dirname))) {
  const { status, stdout, stderr, error } = spawnSync(command, words, { cwd, encoding: "utf8", timeout: 600_000 });
  if (error !== undefined) throw new Error(`${command} could not run: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${words.slice(0, 2).join(" ")} failed: ${(stderr || stdout).trim()}`);
  return stdout;
}
