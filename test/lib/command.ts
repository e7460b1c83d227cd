import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { repositoryFolder } from "./shared.ts";

/** One run of the built program to its end, as a shell sees it. */

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export const program = join(repositoryFolder, "dist", "agent", "main.js");

export async function framepost(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return command(process.execPath, [program, ...words], options);
}

export async function command(file: string, words: readonly string[], { cwd, env }: RunOptions = {}): Promise<Ran> {
  const child = spawn(file, words, {
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, JOURNAL_STREAM: undefined, ...env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** A few at a time: starting the program is work, and a test machine may have two cores. */
export async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>, atOnce = 3): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** No failure of a user's making shows where in the program it was noticed. */
export function assertNoStack({ stdout, stderr }: Ran): void {
  assert.doesNotMatch(stdout + stderr, /^\s+at |node:internal|UNEXPECTED/m);
}
