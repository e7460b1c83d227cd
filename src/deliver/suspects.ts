import { deliverLimits } from "../core/deliver-limits.ts";
import type { Delivery } from "../core/ports.ts";

/**
 * Records that were on the wire when the target failed (5xx, timeout, disconnect). Whether the target or the record is
 * to blame only other records can tell:
 *
 * - A failure counts when another record was accepted since this record's last one, so an outage convicts nobody.
 * - A failure counts only when the record was sent alone: what fails in company is remembered, and sent alone from then on.
 * - From the third counted failure on, each is charged to the record.
 * - A target that is being probed is tried with the record least suspected, so a row of bad ones cannot keep it away.
 */
export class Suspects {
  /** Ordered by last failure, oldest first. */
  readonly #suspects = new Map<string, Suspect>();
  #accepted = 0;

  get size(): number {
    return this.#suspects.size;
  }

  has(delivery: Delivery): boolean {
    return this.#suspects.has(delivery.record.id);
  }

  accepted(delivery: Delivery): void {
    this.#accepted += 1;
    this.forget(delivery);
  }

  forget(delivery: Delivery): void {
    this.#suspects.delete(delivery.record.id);
  }

  /** True when this failure is to be charged to the record instead of the target. */
  failed(delivery: Delivery, alone: boolean): boolean {
    const { id } = delivery.record;
    const before = this.#suspects.get(id) ?? { failures: 0, acceptedBefore: -1 };
    const counts = alone && this.#accepted > before.acceptedBefore;
    const suspect = counts ? { failures: before.failures + 1, acceptedBefore: this.#accepted } : before;
    this.#suspects.delete(id);
    this.#suspects.set(id, suspect);
    this.#forgetBeyondLimit();
    return counts && suspect.failures >= deliverLimits.suspectFailuresMax;
  }

  /** The first that is no suspect, else the one whose last failure is longest ago. */
  leastSuspected(deliveries: readonly Delivery[]): Delivery | undefined {
    const innocent = deliveries.find((delivery) => !this.has(delivery));
    if (innocent !== undefined) return innocent;
    for (const id of this.#suspects.keys()) {
      const found = deliveries.find((delivery) => delivery.record.id === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #forgetBeyondLimit(): void {
    if (this.#suspects.size <= deliverLimits.suspectsMax) return;
    for (const id of this.#suspects.keys()) {
      this.#suspects.delete(id);
      return;
    }
  }
}

interface Suspect {
  readonly failures: number;
  /** How many records the target had accepted when this one last failed. */
  readonly acceptedBefore: number;
}
