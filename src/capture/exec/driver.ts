import type { Clock } from "../../core/clock.ts";
import { AgentError } from "../../core/errors.ts";
import type { CameraDriver } from "../../core/ports.ts";
import type { ProgramCommand } from "../stream/camera-program.ts";
import { findProgram } from "../stream/find-program.ts";
import { ProgramDriver } from "../stream/program-driver.ts";

export interface ExecOptions {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Any program that writes JPEGs to its standard output, one after the other. */
export function execDriver(options: ExecOptions, clock: Clock): CameraDriver {
  const [program = "", ...argv] = options.command;
  const environment = options.environment ?? {};
  const recipe = {
    kind: "exec",
    source: program,
    framing: "jpegs",
    framePeriodMs: 0,
    mayRepeat: false,
    command: async (): Promise<ProgramCommand> => {
      const path = await findProgram(program, process.env["PATH"] ?? "");
      if (path === undefined) throw missing(program);
      return { program: path, argv, environment, secrets: Object.values(environment) };
    },
  } as const;
  return new ProgramDriver(recipe, clock);
}

function missing(program: string): AgentError {
  return new AgentError("CAMERA_PROGRAM_MISSING", `the program ${program} is not installed`, { disposition: "retry" });
}
