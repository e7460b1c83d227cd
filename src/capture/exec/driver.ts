import type { Clock } from "../../core/clock.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import type { CameraDriver } from "../../core/ports.ts";
import type { CaptureLimits } from "../judge.ts";
import type { ProgramCommand } from "../stream/camera-program.ts";
import { installedProgram } from "../stream/find-program.ts";
import { ProgramDriver } from "../stream/program-driver.ts";
import { ProgramShotDriver } from "../stream/program-shots.ts";

export interface ExecOptions {
  /** The program's name or absolute path, then its arguments. No shell reads them. */
  readonly command: readonly string[];
  /** Its values are taken for secrets. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** `stream` when absent. */
  readonly mode?: "stream" | "shot";
  /** What one run in mode `shot` may take. */
  readonly shotTimeMs?: number;
}

/** Any program that writes JPEGs to its standard output: one after the other, or one for each run. */
export function execDriver(options: ExecOptions, clock: Clock, limits: Partial<CaptureLimits> = {}): CameraDriver {
  const [program = "", ...argv] = options.command;
  const environment = options.environment ?? {};
  const { shotTimeMs = { ...captureLimits, ...limits }.programTimeoutMs } = options;
  const command = async (): Promise<ProgramCommand> => ({
    program: await installedProgram([program]),
    argv,
    environment,
    secrets: Object.values(environment),
  });
  const named = { kind: "exec", source: program, command };
  if (options.mode === "shot") return new ProgramShotDriver({ ...named, runTimeMs: shotTimeMs }, clock, limits);
  // How often frames come, nobody but the program knows.
  const stream = { framing: "jpegs", framePeriodMs: 0, mayRepeat: false } as const;
  return new ProgramDriver({ ...named, ...stream }, clock, limits);
}
