import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ClockQuality } from "../core/types.ts";

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

/**
 * systemd-timesyncd (and chrony's wait service) touch this file when they have set the clock. Without it nothing can be
 * said: another time source may run. Asked for every record, because it gets better while we run; `/run` is memory, so
 * the look costs microseconds.
 */
export function clockQuality(path = "/run/systemd/timesync/synchronized"): ClockQuality {
  return existsSync(path) ? "synchronised" : "unknown";
}
