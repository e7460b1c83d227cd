import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a program of this folder measured, by name. */
export type Figures = Readonly<Record<string, number>>;

/** Runs a compiled program of this folder in a process of its own, and answers what it printed as its last line of JSON. */
export async function measuredByChild(
  program: string,
  words: readonly (string | number)[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Figures> {
  const child = startChild(program, words, environment);
  let printed = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (printed += text));
  await once(child, "close");
  const line = printed.trim().split("\n").at(-1) ?? "";
  const figures: unknown = line.startsWith("{") ? JSON.parse(line) : undefined;
  if (!areFigures(figures)) throw new Error(`${program} ${words.join(" ")} measured nothing`);
  return figures;
}

export function startChild(
  program: string,
  words: readonly (string | number)[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const file = join(dirname(fileURLToPath(import.meta.url)), `${program}.js`);
  return spawn(process.execPath, ["--expose-gc", file, ...words.map(String)], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

function areFigures(value: unknown): value is Figures {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "number");
}
