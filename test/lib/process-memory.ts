import { readFile } from "node:fs/promises";

export interface ProcessMemory {
  readonly residentMb: number;
  /** Anonymous pages: heaps and stacks. */
  readonly ownMb: number;
  /** Pages of programs and libraries, which other processes may share. */
  readonly filesMb: number;
  readonly peakMb: number;
}

/** As the kernel counts it, in megabytes of 1,024 kilobytes. */
export async function memoryOf(pid: number): Promise<ProcessMemory> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const megabytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1_024;
  return {
    residentMb: megabytes("VmRSS"),
    ownMb: megabytes("RssAnon"),
    filesMb: megabytes("RssFile"),
    peakMb: megabytes("VmHWM"),
  };
}
