import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";

/** Made up once a process, where the kernel gives no boot id: monotonic times of two processes then never compare. */
const ownBootId = randomUUID();

/** Names the current boot: monotonic times compare only within one. */
export async function bootId(path = "/proc/sys/kernel/random/boot_id"): Promise<string> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    return /^[0-9a-f-]{36}$/.test(text) ? text : ownBootId;
  } catch {
    return ownBootId;
  }
}
