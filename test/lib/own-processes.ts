import { readdir, readFile } from "node:fs/promises";

/** Living children of this process; one that has ended and was not waited for yet (state Z) is no process any more. */
export async function ownChildren(): Promise<readonly number[]> {
  const text = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, "latin1");
  const living: number[] = [];
  for (const child of text.split(" ").filter((pid) => pid !== "")) {
    const status = await readFile(`/proc/${child}/stat`, "latin1").catch(() => "");
    if (status !== "" && !/\) Z /.test(status)) living.push(Number(child));
  }
  return living;
}

export async function ownDescriptors(): Promise<number> {
  return (await readdir("/proc/self/fd")).length;
}
