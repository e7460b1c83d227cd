#!/usr/bin/env node
import { SystemClock } from "../src/core/clock.ts";
import { isAbort } from "../src/core/errors.ts";
import { CrashGuard } from "./crash.ts";
import { errorLines, exitCodeOf, exitCodes } from "./exit-codes.ts";
import { abortOnSignals } from "./lifecycle.ts";
import { runCommandLine } from "./program.ts";
import { systemProblem } from "./system.ts";
import { Terminal } from "./terminal.ts";

/** What shells report of a program that Ctrl-C ended. */
const interrupted = 130;

// Before anything is asked for that only native code can do.
const unsupported = systemProblem(process.arch);
if (unsupported !== undefined) {
  process.stderr.write(`framepost: ${unsupported}\n`);
  process.exit(exitCodes.configuration);
}

const guard = new CrashGuard(process.env["JOURNAL_STREAM"] !== undefined);
guard.install();
// Libraries print what they send, passwords included, when this names them; none of them is loaded yet.
delete process.env["DEBUG"];
const environment = { ...process.env };
// For this process alone: programs of systemd's tell their own failures to whoever listens to the service.
for (const name of ["NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"])
  Reflect.deleteProperty(process.env, name);

const clock = new SystemClock();
const terminal = new Terminal(process.stdout, process.stderr, clock);
const { signal, received } = abortOnSignals();

// A reader that went away (`framepost queue ls | head`) ends the output, not with a stack trace.
process.stdout.on("error", () => process.exit(exitCodes.ok));
process.stderr.on("error", () => undefined);

/** What still runs then is a request or a program that cannot be ended; it must not keep the process. */
const exitGraceMs = 3_000;

try {
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    terminal,
    clock,
    random: Math.random,
    environment,
    signal,
    hide(secrets) {
      guard.hide(secrets);
      terminal.hide(secrets);
    },
  });
} catch (error) {
  if (isAbort(error) || received() !== undefined) {
    terminal.note("framepost: stopped");
    // A service manager that sent SIGTERM sees a clean end.
    process.exitCode = received() === "SIGTERM" ? exitCodes.ok : interrupted;
  } else {
    for (const line of errorLines(error)) terminal.note(line);
    process.exitCode = exitCodeOf(error);
  }
}
if (received() === "SIGINT") process.exitCode = interrupted;
setTimeout(() => process.exit(), exitGraceMs).unref();
