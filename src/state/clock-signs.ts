import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { clockLimits } from "../core/limits.ts";
import type { ClockQuality } from "../core/types.ts";

/** By what can be known that a time source has set the clock. The kernel knows it, and Node has no way to ask it. */
export interface ClockSigns {
  /** When systemd-timesyncd last did, by the wall clock; undefined when it has not in this boot, or is not there. Never fails. */
  markedAtMs(): number | undefined;
  /** Asks the programs that know: a process each. `unknown` where there is none, or none that answers. Never fails. */
  ask(signal: AbortSignal): Promise<ClockQuality>;
}

interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly read: (output: string) => ClockQuality;
}

const programs: readonly Program[] = [
  // Tells what the kernel knows, whichever program set the clock.
  { file: "timedatectl", args: ["show", "--property=NTPSynchronized", "--value"], read: timedatectlSays },
  { file: "chronyc", args: ["-c", "tracking"], read: chronySays },
];

export class SystemClockSigns implements ClockSigns {
  readonly #mark: string;
  readonly #programs: readonly Program[];

  /** `/run` is emptied by a boot. The programs are looked for in `PATH`, or in this folder. */
  constructor(mark = "/run/systemd/timesync/synchronized", folder?: string) {
    this.#mark = mark;
    this.#programs = programs.map((each) => ({
      ...each,
      file: folder === undefined ? each.file : `${folder}/${each.file}`,
    }));
  }

  markedAtMs(): number | undefined {
    try {
      return statSync(this.#mark, { throwIfNoEntry: false })?.mtimeMs;
    } catch {
      // One that may not be looked at says nothing.
      return undefined;
    }
  }

  async ask(signal: AbortSignal): Promise<ClockQuality> {
    let quality: ClockQuality = "unknown";
    for (const program of this.#programs) {
      const said = program.read(await outputOf(program, signal));
      if (said === "synchronised") return said;
      if (said === "unsynchronised") quality = said;
    }
    return quality;
  }
}

/**
 * Empty when it is not there, fails or does not end. `execFile` is not given the signal: of a program that is not there Node
 * leaves its listener on it for good.
 */
async function outputOf({ file, args }: Program, signal: AbortSignal): Promise<string> {
  if (signal.aborted) return "";
  return await new Promise((resolve) => {
    const options = { timeout: clockLimits.askTimeoutMs, maxBuffer: 64 * 1_024, killSignal: "SIGKILL" } as const;
    const child = execFile(file, args, options, (error, stdout) => {
      signal.removeEventListener("abort", end);
      resolve(error === null ? stdout.trim() : "");
    });
    const end = () => {
      child.kill("SIGKILL");
      resolve("");
    };
    signal.addEventListener("abort", end, { once: true });
  });
}

function timedatectlSays(output: string): ClockQuality {
  if (output === "yes") return "synchronised";
  return output === "no" ? "unsynchronised" : "unknown";
}

/** The last field is the leap status: `Normal`, `Insert second`, `Delete second` or `Not synchronised`. */
function chronySays(output: string): ClockQuality {
  const fields = output.split(",");
  if (fields.length < 10) return "unknown";
  return fields.at(-1) === "Not synchronised" ? "unsynchronised" : "synchronised";
}
