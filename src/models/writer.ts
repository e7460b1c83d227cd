import { readFile, readlink } from "node:fs/promises";

/**
 * Which process fills a folder, told by the folder's name: so that what a killed process has left is known and removed,
 * or gone on with, and what another process works on is left alone. The number of a process is used again, soon in a
 * container, so the moment of its begin belongs to it, and the numbering (that of a container is another one).
 */

/** What is released carries this in the place of a process. */
export const nobody = "0-0-0";

/** `pid-begin-numbering`, in digits. */
export const writerPattern = /\d{1,10}-\d{1,20}-\d{1,20}/;

export async function ownMark(): Promise<string> {
  return `${process.pid}-${(await beginOf(process.pid)) ?? "0"}-${await ownNumbering()}`;
}

/** Undefined where it cannot be known from here: the process counts in another numbering. */
export async function isDead(mark: string): Promise<boolean | undefined> {
  if (mark === nobody) return true;
  const [pid = "", begun, numbering] = mark.split("-");
  if (numbering !== (await ownNumbering())) return undefined;
  // Where the system tells no begin (it is no Linux), the number alone has to do.
  if ((await beginOf(process.pid)) === undefined) return !answers(Number(pid));
  return (await beginOf(Number(pid))) !== begun;
}

/** In clock ticks since the machine's start (proc_pid_stat(5), field 22); undefined where it has ended. */
async function beginOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // The second field, a name in brackets, may hold blanks and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // In a container that nobody tidies up, what has ended stays in the list for ever.
  return fields[0] === "Z" ? undefined : fields[19];
}

async function ownNumbering(): Promise<string> {
  const link = await readlink("/proc/self/ns/pid").catch(() => "");
  return /\d+/.exec(link)?.[0] ?? "0";
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
