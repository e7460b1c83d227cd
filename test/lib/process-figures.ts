import { readFile } from "node:fs/promises";

/** What a process takes, as the kernel counts it. */

/** Clock ticks of the kernel's interface, on every Linux. */
const ticksPerSecond = 100;

export interface SharedMemory {
  readonly residentMb: number;
  /** Anonymous pages: heaps and stacks. */
  readonly ownMb: number;
  /** Pages of `program` that other processes use as well are divided among them; all others count whole. */
  readonly dividedMb: number;
}

/** In megabytes of 1,024 kilobytes. */
export async function sharedMemoryOf(pid: number, program: string): Promise<SharedMemory> {
  const maps = (await readFile(`/proc/${pid}/smaps`, "utf8")).split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const megabytes = (map: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(map)?.[1] ?? 0) / 1_024;
  const sum = (of: (map: string) => number) => maps.reduce((total, map) => total + of(map), 0);
  const isProgram = (map: string) => map.slice(0, map.indexOf("\n")).endsWith(` ${program}`);
  return {
    residentMb: sum((map) => megabytes(map, "Rss")),
    ownMb: sum((map) => megabytes(map, "Anonymous")),
    dividedMb: sum((map) => megabytes(map, isProgram(map) ? "Pss" : "Rss")),
  };
}

/** Processor time since the process began, all of its threads together. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  // After the name, which may hold anything: the state is the third field, user and system time are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "latin1");
  return text
    .trim()
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
}
