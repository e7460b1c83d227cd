import { exitCodeOf, errorLines } from "../../agent/exit-codes.ts";
import { abortOnSignals } from "../../agent/lifecycle.ts";
import { runCommandLine } from "../../agent/program.ts";
import { Terminal } from "../../agent/terminal.ts";
import { SoakClock } from "./soak-clock.ts";

/**
 * The whole program on the clock of a soak, which is read anew on SIGUSR2. Arguments: how many times as fast, where it
 * began (wall, kernel), the file of its offset, then the words of the command line.
 */
const [hurry, wallMs, monotonicMs, offsetFile, ...words] = process.argv.slice(2);
const origin = { wallMs: Number(wallMs), monotonicMs: Number(monotonicMs) };
const clock = new SoakClock(Number(hurry), origin, offsetFile);
process.on("SIGUSR2", () => clock.readOffset());
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
