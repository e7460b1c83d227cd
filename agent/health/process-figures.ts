import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { readdir, readFile } from "node:fs/promises";
import type { ProcessFigures } from "../../src/health/metric.ts";

/** Seldom enough to cost nothing, often enough to see what holds everything up. */
const lagEveryMs = 100;
const nanosecondsPerMs = 1_000_000;

/** What this process takes. Timers are watched from the first question on, and figures are those since the last one. */
export class ProcessWatch {
  #lag: IntervalHistogram | undefined;

  async figures(): Promise<ProcessFigures> {
    const { user, system } = process.cpuUsage();
    const openDescriptors = await readdir("/proc/self/fd").then(
      ({ length }) => length,
      () => undefined,
    );
    return {
      cpuSeconds: (user + system) / 1_000_000,
      ...(openDescriptors === undefined ? {} : { openDescriptors }),
      ...this.#loopLag(),
    };
  }

  stop(): void {
    this.#lag?.disable();
    this.#lag = undefined;
  }

  #loopLag(): Pick<ProcessFigures, "loopLag"> {
    const lag = this.#lag;
    if (lag === undefined) {
      this.#lag = monitorEventLoopDelay({ resolution: lagEveryMs });
      this.#lag.enable();
      return {};
    }
    if (lag.count === 0) return {};
    const beyond = (nanoseconds: number) => Math.max(0, nanoseconds / nanosecondsPerMs - lagEveryMs);
    const loopLag = {
      p50Ms: beyond(lag.percentile(50)),
      p99Ms: beyond(lag.percentile(99)),
      maxMs: beyond(lag.max),
    };
    lag.reset();
    return { loopLag };
  }
}

/** Resident memory of another process; undefined where there is none. */
export async function memoryOf(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(text) ?? [];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
}
