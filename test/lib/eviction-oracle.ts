import assert from "node:assert/strict";
import type { Loss, Spool, SpoolListing } from "../../src/core/ports.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { draftOf, imageOf } from "./drafts.ts";

const everything = { recordsMax: 1_000, bytesMax: Infinity };

/** Remembers what a spool was given and what of it was accepted, so that whatever is not there must have been counted. */
export class EvictionOracle {
  readonly #spool: Spool;
  readonly #owedTo: readonly string[];
  readonly #sizeBytes: number;
  readonly #given = new Map<string, { readonly seed: number; readonly priority: number }>();
  readonly #accepted = new Map<string, Set<string>>();
  #seed = 0;

  constructor(spool: Spool, owedTo: readonly string[], sizeBytes = 100_000) {
    this.#spool = spool;
    this.#owedTo = owedTo;
    this.#sizeBytes = sizeBytes;
  }

  async append(priority = 0): Promise<StoredRecord> {
    this.#seed += 1;
    const seed = this.#seed;
    const draft = draftOf({ reason: { rule: "test", priority } });
    const record = await this.#spool.append(draft, imageOf(this.#sizeBytes, seed), this.#owedTo);
    this.#given.set(record.id, { seed, priority });
    return record;
  }

  async accept(targetId: string, recordsMax: number): Promise<number> {
    const leased = await this.#spool.lease(targetId, { ...everything, recordsMax });
    for (const { record } of leased) {
      await this.#spool.settle(targetId, record.id, { kind: "accepted" });
      const accepted = this.#accepted.get(targetId) ?? new Set();
      this.#accepted.set(targetId, accepted.add(record.id));
    }
    return leased.length;
  }

  /** Every delivery was accepted, or is owed and whole to the byte, or was counted as lost; nothing else is there. */
  async check(spool = this.#spool): Promise<readonly SpoolListing[]> {
    const listed = await allOf(spool);
    const { lost } = await spool.stats();
    for (const targetId of this.#owedTo) {
      const owed = listed.filter(({ deliveries }) => deliveries.some((delivery) => delivery.targetId === targetId));
      const accepted = this.#accepted.get(targetId)?.size ?? 0;
      const gone = deliveriesOf(lost, { targetId });
      assert.equal(owed.length + accepted + gone, this.#given.size, `${owed.length} owed, ${accepted}, ${gone} lost`);
      assert.ok(owed.every(({ record }) => this.#accepted.get(targetId)?.has(record.id) !== true));
      await this.#checkImages(spool, targetId);
    }
    return listed;
  }

  async #checkImages(spool: Spool, targetId: string): Promise<void> {
    const leased = await spool.lease(targetId, everything);
    for (const delivery of leased) {
      const { id } = delivery.record;
      const given = this.#given.get(id);
      assert.ok(given !== undefined, `record ${id} was never given`);
      assert.ok((await delivery.image()).equals(imageOf(this.#sizeBytes, given.seed)), `record ${id} is another`);
      await spool.settle(targetId, id, { kind: "release" });
    }
  }
}

export async function allOf(spool: Spool): Promise<readonly SpoolListing[]> {
  const all: SpoolListing[] = [];
  for (;;) {
    const page = await spool.list({ afterSequence: all.at(-1)?.record.sequence ?? 0, recordsMax: 1_000 });
    if (page.length === 0) return all;
    all.push(...page);
  }
}

/** How many deliveries were lost, of those that fit. */
export function deliveriesOf(lost: readonly Loss[], fit: Partial<Loss>): number {
  const fits = (loss: Loss) => Object.entries(fit).every(([key, value]) => loss[key as keyof Loss] === value);
  return lost.filter(fits).reduce((sum, { deliveries }) => sum + deliveries, 0);
}
