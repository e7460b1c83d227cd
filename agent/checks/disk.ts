import { access, constants, mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../src/core/errors.ts";
import { fileProblem } from "../files.ts";
import { hintFor } from "../hints.ts";
import type { Settings } from "../settings.ts";
import type { CheckResult } from "./result.ts";

/** A card at work takes some 50 ms, and at worst a second while it tidies up. */
const slowFlushMs = 2_000;

/** A write that reaches the disk, because a card that has gone read-only still opens files. */
export async function diskCheck({ dataFolder, config }: Pick<Settings, "dataFolder" | "config">): Promise<CheckResult> {
  const probe = join(dataFolder, `.doctor-${process.pid}`);
  try {
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    await access(dataFolder, constants.W_OK);
    const file = await open(probe, "w");
    const startedMs = performance.now();
    try {
      await file.write(Buffer.alloc(100 * 1_024));
      await file.sync();
    } finally {
      await file.close();
    }
    const flushMs = performance.now() - startedMs;
    const { bavail, bsize } = await statfs(dataFolder);
    const free = bavail * bsize;
    const found = `${dataFolder}: ${Math.round(free / 1024 ** 2)} MB free, 100 KB written and flushed in ${flushMs.toFixed(0)} ms`;
    const enough = free > config.spool.minFreeBytes;
    const mend = `see what takes it: sudo du -xh ${dataFolder} | sort -h | tail; or lower spool.minFreeBytes`;
    if (!enough) return { check: "disk", result: "failed", found, mend };
    if (flushMs > slowFlushMs) {
      const slow = `${dataFolder}: 100 KB took ${(flushMs / 1_000).toFixed(1)} s to reach the disk`;
      return {
        check: "disk",
        result: "warning",
        found: slow,
        mend: "see who else writes: sudo iotop -ao; a worn card gets slow: replace it",
      };
    }
    return { check: "disk", result: "ok", found };
  } catch (error) {
    const found = `cannot write to ${dataFolder}: ${fileProblem(error)} (${errnoOf(error) ?? "DATA_FOLDER"})`;
    return { check: "disk", result: "failed", found, mend: hintFor("DATA_FOLDER") ?? "" };
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}
