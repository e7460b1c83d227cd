import { spoolLimits } from "../core/spool-limits.ts";
import type { Logger } from "../core/ports.ts";
import type { IndexClient } from "./index/client.ts";
import type { RemovedTarget } from "./index/targets.ts";
import type { SpoolTime } from "./spool-time.ts";
import type { UpkeepTask } from "./upkeep.ts";

export interface RemovedTargetsParts {
  readonly index: IndexClient;
  readonly time: SpoolTime;
  readonly log: Logger;
  /** Running time between a target's removal and the end of what it is owed. */
  readonly graceMs: number;
  /** Some deliveries were given up; their records may be owed to nobody any more. */
  readonly settled: () => void;
}

/** What is owed to targets that are configured no more: said at every start, given up after a grace period. */
export class RemovedTargets implements UpkeepTask {
  readonly name = "give up what removed targets are owed";
  readonly #parts: RemovedTargetsParts;

  constructor(parts: RemovedTargetsParts) {
    this.#parts = parts;
  }

  announce(targets: readonly RemovedTarget[]): void {
    const { log } = this.#parts;
    for (const target of targets) {
      const { targetId, deliveries } = target;
      if (deliveries === 0) continue;
      log.warn("spool.target.removed", { target: targetId, deliveries, givenUpInMs: Math.round(this.#leftMs(target)) });
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    for (const target of await this.#parts.index.call("removedTargets")) {
      if (this.#leftMs(target) <= 0) await this.#giveUp(target.targetId, signal);
    }
  }

  async #giveUp(targetId: string, signal: AbortSignal): Promise<void> {
    const { index, log, settled } = this.#parts;
    let deliveries = 0;
    let records = 0;
    try {
      for (let done = false; !done && !signal.aborted;) {
        const step = await index.call("giveUpRemoved", targetId);
        if (step.deliveries > 0) settled();
        deliveries += step.deliveries;
        records += step.finished;
        // What is held for an export keeps the target until the export is over.
        done = step.done || step.deliveries < spoolLimits.giveUpDeliveries;
      }
    } finally {
      if (deliveries > 0) log.warn("spool.target.given-up", { target: targetId, deliveries, records });
    }
  }

  #leftMs({ absentSinceMs }: RemovedTarget): number {
    const { graceMs, time } = this.#parts;
    return absentSinceMs + graceMs - time.ranMs();
  }
}
