import { spawnSync } from "node:child_process";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { Seams } from "../../src/core/ports.ts";
import { DiskSpool, type DiskSpoolOptions } from "../../src/spool/spool.ts";
import { RecordingLogger, SimulatedClock, seededRandom } from "./seams.ts";

const patient: ReadonlySet<number> = new Set([
  spoolLimits.collectIntervalMs,
  spoolLimits.upkeepFirstMs,
  spoolLimits.upkeepEveryMs,
  spoolLimits.checkDelayMs,
]);

/** The spool's own pauses would move the simulated time on behind a test's back, so here they only end with the spool. */
export class PatientClock extends SimulatedClock {
  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (!patient.has(ms)) {
      await super.sleep(ms, signal);
      return;
    }
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    signal.throwIfAborted();
  }
}

/** Each spool draws other ids: two agents never share a random state. */
let seed = 0;

export function diskSpoolOf(
  folder: string,
  change: Partial<DiskSpoolOptions & Seams> = {},
): { readonly spool: DiskSpool; readonly log: RecordingLogger } {
  const log = new RecordingLogger();
  const { clock = new PatientClock(), random = seededRandom((seed += 1)), ...options } = change;
  const spool = new DiskSpool(
    {
      ...{ folder, device: "gw", bytesMax: Infinity, recordsMax: Infinity, freeBytesMin: 0 },
      ...{ eviction: "none", quarantine: { share: 1, ageMaxMs: Infinity } },
      ...options,
    },
    { clock, random, log },
  );
  return { spool, log };
}

/** A started spool that stops by itself at the end of `await using`. */
export async function openSpool(
  folder: string,
  change: Partial<DiskSpoolOptions & Seams> = {},
): Promise<AsyncDisposable & { readonly spool: DiskSpool; readonly log: RecordingLogger }> {
  const opened = diskSpoolOf(folder, change);
  await opened.spool.start(new AbortController().signal);
  return { ...opened, [Symbol.asyncDispose]: async () => await opened.spool.stop() };
}

/** Starts a spool on the folder in a process of its own, then runs `afterwards`. */
export function spoolInAnotherProcess(
  folder: string,
  afterwards: string,
): { readonly stderr: string; readonly signal: NodeJS.Signals | null } {
  const script = `
    import { diskSpoolOf } from ${JSON.stringify(import.meta.url)};
    await diskSpoolOf(${JSON.stringify(folder)}).spool.start(new AbortController().signal).catch((error) => {
      console.error(error.code);
      process.exit(1);
    });
    ${afterwards}`;
  const { stderr, signal: killedBy } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    timeout: 10_000,
  });
  return { stderr, signal: killedBy };
}
