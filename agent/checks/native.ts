import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommandContext } from "../context.ts";
import { packageFolder } from "../version.ts";
import type { CheckResult } from "./result.ts";

/** What is made for one kind of machine, and may be missing, for another one, or need what a processor does not have. */
export const nativeModules = ["sharp", "onnxruntime-node", "libsql"] as const;

/** A card that is slow and busy takes some seconds for 25 MB. */
const loadTimeoutMs = 30_000;

/** Each is loaded in a process of its own, so that one that crashes is a line here. */
export async function nativeChecks(
  { signal }: Pick<CommandContext, "signal">,
  modules: readonly string[] = nativeModules,
  folder = packageFolder,
): Promise<readonly CheckResult[]> {
  const loaded = await Promise.all(
    modules.map(async (name) => ({ name, trouble: await loadTrouble(name, folder, signal) })),
  );
  signal.throwIfAborted();
  const failed = loaded.flatMap(({ name, trouble }): readonly CheckResult[] =>
    trouble === undefined ? [] : [{ check: `module ${name}`, result: "failed", found: trouble, mend: mendOf(folder) }],
  );
  const good = loaded.filter(({ trouble }) => trouble === undefined).map(({ name }) => name);
  if (good.length === 0) return failed;
  const versions = await Promise.all(good.map(async (name) => `${name} ${await versionOf(name, folder)}`));
  return [{ check: "modules", result: "ok", found: versions.join(", ") }, ...failed];
}

async function loadTrouble(name: string, folder: string, signal: AbortSignal): Promise<string | undefined> {
  const args = ["--input-type=module", "--eval", "await import(process.argv[1])", name];
  // Nothing of our environment: it may hold secrets.
  const env = { PATH: process.env["PATH"], ORT_DISABLE_TELEMETRY: "1" };
  return await new Promise((resolve) => {
    const options = { cwd: folder, env, signal, timeout: loadTimeoutMs, killSignal: "SIGKILL" } as const;
    execFile(process.execPath, args, options, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined);
      else if (error.killed === true) resolve(`it did not load within ${loadTimeoutMs / 1_000} s`);
      else if (typeof error.signal === "string") resolve(crashText(error.signal));
      else resolve(`it cannot be loaded: ${reasonIn(stderr)}`);
    });
  });
}

function crashText(signal: string): string {
  const why = signal === "SIGILL" ? ": this processor lacks what it needs" : "";
  return `its process ended with ${signal} while it was loaded${why}`;
}

function reasonIn(stderr: string): string {
  const line = stderr.split("\n").find((text) => /^(\w*Error|.*error while loading)\b/.test(text));
  return (line ?? stderr.trim().split("\n").at(-1) ?? "").slice(0, 300);
}

async function versionOf(name: string, folder: string): Promise<string> {
  try {
    const about: unknown = JSON.parse(await readFile(join(folder, "node_modules", name, "package.json"), "utf8"));
    if (typeof about === "object" && about !== null && "version" in about) return String(about.version);
  } catch {
    // Where packages lie elsewhere, its version is not worth a search.
  }
  return "loads";
}

/** What a package brought, a package mends. */
function mendOf(folder: string): string {
  return folder.startsWith("/usr/lib/framepost") || folder.startsWith("/usr/share/framepost")
    ? "sudo apt install --reinstall framepost"
    : `cd ${folder} && npm ci, on this machine and with the Node.js that runs it`;
}
