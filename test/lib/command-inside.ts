import { Writable } from "node:stream";
import { errorLines, exitCodeOf } from "../../agent/exit-codes.ts";
import { runCommandLine } from "../../agent/program.ts";
import { Terminal } from "../../agent/terminal.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { Ran } from "./command.ts";

/**
 * One run of the command line inside the test. For tables of many cases that end before anything is started: a process
 * for each would cost half a second of processor time. What the process itself does is for `framepost` to show.
 */
export async function framepostInside(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const said = { stdout: "", stderr: "" };
  const into = (stream: keyof typeof said) =>
    new Writable({
      write(chunk, _encoding, done) {
        said[stream] += String(chunk);
        done();
      },
    });
  const clock = new SystemClock();
  const terminal = new Terminal(into("stdout"), into("stderr"), clock);
  const world = { terminal, clock, random: Math.random, environment: { ...process.env, ...environment } };
  const { signal } = new AbortController();
  try {
    const code = await runCommandLine(words, { ...world, signal, hide: (secrets) => terminal.hide(secrets) });
    return { code, ...said };
  } catch (error) {
    for (const line of errorLines(error)) terminal.note(line);
    return { code: exitCodeOf(error), ...said };
  }
}
