#!/usr/bin/env node
import { SystemClock } from "../src/core/clock.ts";
import { AgentError, messageOf } from "../src/core/errors.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { abortOnSignals } from "./lifecycle.ts";
import { runCommandLine } from "./program.ts";
import { Terminal } from "./terminal.ts";

const clock = new SystemClock();
const terminal = new Terminal(process.stdout, process.stderr, clock);
const { signal, received } = abortOnSignals();

// A reader that went away (`framepost queue ls | head`) ends the output, not with a stack trace.
process.stdout.on("error", () => process.exit(exitCodes.ok));

try {
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    terminal,
    clock,
    random: Math.random,
    environment: process.env,
    signal,
  });
} catch (error) {
  if (received() === undefined) {
    terminal.note(`framepost: ${error instanceof AgentError ? `${error.message} (${error.code})` : messageOf(error)}`);
    process.exitCode = exitCodeOf(error);
  }
}
// Stopped by a signal: the shell is told so, and a service manager that sent SIGTERM sees a clean end.
if (received() === "SIGINT") process.exitCode = 130;
if (received() === "SIGTERM") process.exitCode = exitCodes.ok;
