import { messageOf } from "../../src/core/errors.ts";
import { fsyncShim } from "../lib/fsync-shim.ts";

/** What a flush takes longer on the slow disk that some benchmarks imitate: about what a worn SD card adds. */
export const slowerByMs = 20;

export type SlowDisk =
  | { readonly environment: Readonly<Record<string, string>> }
  | { readonly environment?: never; readonly leftOut: string };

/** The environment in which every flush of a child process takes longer; without a compiler there is none. */
export function slowDisk(folder: string): SlowDisk {
  try {
    return { environment: fsyncShim(folder, { delayMs: slowerByMs }) };
  } catch (error) {
    return { leftOut: `everything with slower flushes, for this needs cc: ${messageOf(error)}` };
  }
}
