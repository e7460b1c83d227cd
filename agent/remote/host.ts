import { existsSync, readdirSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, loadavg, totalmem, uptime } from "node:os";
import { join } from "node:path";
import type { StatusReport } from "../../src/remote/status-report.ts";

/** The machine around the agent, as far as it tells. All of it lies in memory: reading costs microseconds. */
export function hostStatus(thermalFolder = "/sys/class/thermal"): StatusReport["host"] {
  const temperatureC = hottest(thermalFolder);
  return {
    load1: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    memoryFreeBytes: freemem(),
    upMs: Math.round(uptime() * 1_000),
    ...(temperatureC === undefined ? {} : { temperatureC }),
  };
}

/** Absent where the disk does not answer. */
export async function diskStatus(folder: string, reserveBytes: number): Promise<StatusReport["disk"]> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return { freeBytes: bavail * bsize, reserveBytes };
  } catch {
    return undefined;
  }
}

/** What the board calls itself: on ARM in the device tree, on a PC in its firmware's tables. */
export function hardwareName(
  files: readonly string[] = ["/proc/device-tree/model", "/sys/class/dmi/id/product_name"],
): string | undefined {
  for (const file of files) {
    const name = textOf(file)?.replaceAll("\0", "").trim().slice(0, 100);
    if (name !== undefined && name !== "") return name;
  }
  return undefined;
}

/** Zones are some dozen at most. A sensor that is off shows nonsense. */
function hottest(folder: string): number | undefined {
  if (!existsSync(folder)) return undefined;
  const degrees = readdirSync(folder)
    .filter((name) => name.startsWith("thermal_zone"))
    .slice(0, 32)
    .map((name) => Number(textOf(join(folder, name, "temp")) ?? NaN) / 1_000)
    .filter((celsius) => celsius > -50 && celsius < 150);
  return degrees.length === 0 ? undefined : Math.round(Math.max(...degrees) * 10) / 10;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
