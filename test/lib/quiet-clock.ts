import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { DeliverySpool } from "../../src/deliver/loop.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** Virtual time for a spool that works in a thread and on a disk: it stands still while a request of `watched` is under way. */
export class QuietClock extends VirtualClock {
  readonly #underWay = new Set<Promise<unknown>>();

  /** The spool as delivery loops see it. */
  watched(spool: DeliverySpool): DeliverySpool {
    return {
      lease: async (...values) => await this.#watch(spool.lease(...values)),
      settle: async (...values) => await this.#watch(spool.settle(...values)),
      // Waits for time itself.
      waitForDue: (...values) => spool.waitForDue(...values),
    };
  }

  /** The upkeep has thousands of turns in a week, and no part in it: it only ends with the spool. */
  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await super.sleep(ms === spoolLimits.upkeepEveryMs ? Infinity : ms, signal);
  }

  override async settle(): Promise<void> {
    for (;;) {
      await super.settle();
      if (this.#underWay.size === 0) return;
      await Promise.allSettled(this.#underWay);
    }
  }

  async #watch<T>(request: Promise<T>): Promise<T> {
    this.#underWay.add(request);
    try {
      return await request;
    } finally {
      this.#underWay.delete(request);
    }
  }
}
