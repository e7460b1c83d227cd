import { readFileSync, readlinkSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { isAlive } from "./process-group.ts";

/**
 * Camera programs whose agent was killed before it could end them. One that writes ends at its next frame, for nobody
 * reads it; one that hangs holds its device for ever, and the next agent would find it busy. So each carries in its
 * environment, as all that it starts does, whose it is: the agent's process, told from a later one of its number by the
 * time of its start, and the system's numbering that this is of (that of a container is another).
 */

const variable = "FRAMEPOST_AGENT";
const markPattern = /(?:^|\0)FRAMEPOST_AGENT=(\d{1,10}):(\d{1,20}):([^\0]{1,40})(?:\0|$)/;

/** For the environment of a program. Empty where the system does not tell (it is no Linux). */
export function ownersMark(): Readonly<Record<string, string>> {
  try {
    const startedAt = startIn(readFileSync("/proc/self/stat", "latin1"));
    return { [variable]: `${process.pid}:${startedAt}:${ownNumbering()}` };
  } catch {
    return {};
  }
}

/** Kills what such agents left behind; answers how many processes. What belongs to a living agent is left alone. */
export async function endOrphans(): Promise<number> {
  const names = await readdir("/proc").catch(() => []);
  let ended = 0;
  for (const pid of names.filter((name) => /^\d+$/.test(name)).map(Number)) {
    if (!(await isOrphan(pid))) continue;
    try {
      process.kill(pid, "SIGKILL");
      ended += 1;
    } catch {
      // It has ended meanwhile, or has taken another user's rights.
    }
  }
  return ended;
}

async function isOrphan(pid: number): Promise<boolean> {
  // Of another user's processes nothing can be read, and none of them is ours.
  const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  const [, owner, startedAt, numbering] = markPattern.exec(environment) ?? [];
  if (owner === undefined || numbering !== ownNumbering()) return false;
  const now = await readFile(`/proc/${owner}/stat`, "latin1").catch(() => undefined);
  // Where processes of others are hidden, one that is there all the same lives.
  return now === undefined ? !isAlive(Number(owner)) : startIn(now) !== startedAt;
}

/** When a process was started, in ticks since boot: field 22 of its `stat`. The name in field 2 may hold anything. */
function startIn(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function ownNumbering(): string {
  return readlinkSync("/proc/self/ns/pid");
}
