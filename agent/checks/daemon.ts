import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ControlClient } from "../../src/control/client.ts";
import type { CommandContext } from "../context.ts";
import { controlPathOf } from "../locations.ts";
import type { CheckResult } from "./result.ts";
import { failed } from "./result.ts";

/** The daemon of this data folder, where one runs. */
export interface RunningDaemon {
  readonly queue: ControlClient;
  /** Undefined where it is not told. */
  readonly pid: number | undefined;
}

/** And a line about it, where it runs, and where nobody may ask it. */
export async function findDaemon(
  { signal }: Pick<CommandContext, "signal">,
  dataFolder: string,
): Promise<{ readonly daemon?: RunningDaemon; readonly line?: CheckResult }> {
  const queue = new ControlClient(controlPathOf(dataFolder), signal);
  try {
    if (!(await queue.reaches())) return {};
  } catch (error) {
    return { line: failed("daemon", error) };
  }
  const pid = await pidOf(dataFolder);
  const found = `it runs${pid === undefined ? "" : ` as process ${pid}`}; what it holds is asked of it`;
  return { daemon: { queue, pid }, line: { check: "daemon", result: "ok", found } };
}

/** As the spool's owner signs. */
async function pidOf(dataFolder: string): Promise<number | undefined> {
  const text = await readFile(join(dataFolder, "spool", "owner"), "utf8").catch(() => "");
  const pid = Number(/^process (\d+)$/m.exec(text)?.[1]);
  return Number.isNaN(pid) ? undefined : pid;
}
