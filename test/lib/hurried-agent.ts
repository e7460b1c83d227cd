import { exitCodeOf, errorLines } from "../../agent/exit-codes.ts";
import { abortOnSignals } from "../../agent/lifecycle.ts";
import { runCommandLine } from "../../agent/program.ts";
import { Terminal } from "../../agent/terminal.ts";
import { HurriedClock } from "./hurried-clock.ts";

/** The whole program on a hurried clock. Arguments: how many times as fast, then the words of its command line. */
const [hurry = "1", ...words] = process.argv.slice(2);
const clock = new HurriedClock(Number(hurry));
const terminal = new Terminal(process.stdout, process.stderr, clock);
const { signal } = abortOnSignals();
try {
  const world = { terminal, clock, random: Math.random, environment: process.env, signal };
  process.exitCode = await runCommandLine(words, { ...world, hide: (secrets) => terminal.hide(secrets) });
} catch (error) {
  for (const line of errorLines(error)) terminal.note(line);
  process.exitCode = exitCodeOf(error);
}
setTimeout(() => process.exit(), 3_000).unref();
