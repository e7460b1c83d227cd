import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import { discoverLimits } from "../../core/capture-limits.ts";
import { withDeadline } from "../deadline.ts";
import { endProcessGroup } from "../stream/process-group.ts";
import { keptEnvironment } from "../stream/program-environment.ts";

export interface ListingSeams {
  readonly clock: Clock;
  /** For tests. */
  readonly timeoutMs?: number;
}

/** What a listing program wrote. Its exit status counts for nothing: ffmpeg's listings always end in failure. */
export interface Listing {
  readonly stdout: string;
  readonly stderr: string;
  /** Why the listing is not whole, in a few words. */
  readonly problem?: string;
}

const graceMs = 500;

/** One run of a program that lists and ends: an absolute path, no shell, bounded in time and output. Never rejects. */
export async function runListing(
  program: string,
  argv: readonly string[],
  { clock, timeoutMs = discoverLimits.programTimeoutMs }: ListingSeams,
  signal: AbortSignal,
): Promise<Listing> {
  const child: ChildProcess = spawn(program, argv, {
    stdio: ["ignore", "pipe", "pipe"],
    env: keptEnvironment(),
    detached: true,
  });
  const written = { stdout: "", stderr: "" };
  const late = () => new Error(`it did not end within ${timeoutMs} ms`);
  try {
    await withDeadline(clock, timeoutMs, signal, () => endOf(child, written), late);
    return written;
  } catch (error) {
    return { ...written, problem: messageOf(error, 160) };
  } finally {
    const hasEnded = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    await endProcessGroup({ leader: async () => child.pid, hasEnded }, "SIGTERM", graceMs, clock);
    // What the program started may outlive it, and hold the pipes open. Without descriptors left there are none.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

/** Resolves once all output was read; rejects when the program does not start or writes without end. */
function endOf(child: ChildProcess, written: { stdout: string; stderr: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`it does not start: ${messageOf(error, 120)}`)));
    child.once("close", () => resolve());
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.setEncoding("utf8").on("data", (text: string) => {
        if (written[name].length + text.length > discoverLimits.programOutputBytesMax) {
          reject(new Error("it wrote too much"));
        } else written[name] += text;
      });
    }
  });
}
