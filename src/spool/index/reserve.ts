import { randomBytes } from "node:crypto";
import { rmSync, statfsSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { spoolLimits } from "../../core/spool-limits.ts";
import type { Layout } from "../layout.ts";
import { isDiskFull } from "./database.ts";
import { flushFolder } from "./disk.ts";

/**
 * Room for the index on a disk that others have filled to the last byte: a file that is given up where the index cannot be
 * opened or an outcome cannot be written without its bytes. What is settled then frees more than that.
 */
export class Reserve {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** True when there was one, and its bytes are free now. */
  giveUp(): boolean {
    const { folder, reserve } = this.#layout;
    try {
      unlinkSync(reserve);
      // Only then does a journaling file system give the blocks to somebody else.
      flushFolder(folder);
      return true;
    } catch {
      return false;
    }
  }

  /** For an outcome: what is not kept of it is sent again, and what is kept makes room. `write` is all or nothing. */
  for(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!isDiskFull(error) || !this.giveUp()) throw error;
      write();
    }
  }

  /** Where it is missing and there is room. Nothing depends on it now: what fails is tried the next time. */
  renew(): void {
    const { folder, reserve } = this.#layout;
    const { reserveBytes, indexReserveBytes } = spoolLimits;
    try {
      if (statSync(reserve, { throwIfNoEntry: false })?.size === reserveBytes) return;
      const { bavail, bsize } = statfsSync(folder);
      if (bavail * bsize < indexReserveBytes + reserveBytes) return;
      // Random, or a file system that compresses would keep nothing free.
      writeFileSync(reserve, randomBytes(reserveBytes), { mode: 0o600, flush: true });
    } catch {
      rmSync(reserve, { force: true, recursive: true });
    }
  }
}
