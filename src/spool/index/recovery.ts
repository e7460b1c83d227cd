import { spoolLimits } from "../../core/limits.ts";
import type { RecordCipher } from "../cipher.ts";
import { type Layout, shardOf } from "../layout.ts";
import { type Depth, examine, sequencesInShard, setEnvelopeAside, shardsOnDisk } from "./disk.ts";
import type { IndexEntry, IndexStore } from "./store.ts";

export interface Recovered {
  readonly recovered: number;
  readonly damaged: number;
}

/**
 * Brings the index up to what the files say. Only files above the high water are examined: all others were in the index
 * when it was last durable. A fresh index has no high water, so then it is all of them. Where `lastSequence` is given,
 * records after it are not in the index yet, and their files are nobody's business.
 */
export function recover(
  layout: Layout,
  store: IndexStore,
  { depth, cipher }: { readonly depth: Depth; readonly cipher: RecordCipher | undefined },
  addedAtMs: number,
  lastSequence = Infinity,
): Recovered {
  const after = store.highWater();
  let recovered = 0;
  let damaged = 0;
  let seen = after;
  let entries: IndexEntry[] = [];
  const flush = (): void => {
    store.insert(entries, addedAtMs);
    recovered += entries.length;
    entries = [];
  };
  const shards = shardsOnDisk(layout, after + 1);
  for (const shard of shards) {
    for (const sequence of sequencesInShard(layout, shard)) {
      if (sequence <= after || sequence > lastSequence || store.isFinished(sequence)) continue;
      seen = sequence;
      const examined = examine(layout, sequence, depth, cipher);
      if (examined.ok) entries.push(examined.value);
      else {
        setEnvelopeAside(layout, sequence);
        damaged += 1;
      }
      if (entries.length >= spoolLimits.rebuildRecords) flush();
    }
  }
  flush();
  store.countDamaged(damaged);
  // Also past those without a row: their files may still be there, and their names have been given out.
  if (damaged > 0) store.raiseHighWater(seen);
  const newest = shards.at(-1);
  if (Number.isFinite(lastSequence)) store.raiseHighWater(lastSequence);
  else if (newest !== undefined && newest > shardOf(store.highWater())) skipShard(store, newest);
  else if (newest !== undefined && depth === "headers") skipShard(store, newest);
  return { recovered, damaged };
}

/** How many sequences of this shard were used cannot be known any more: go on after it. */
function skipShard(store: IndexStore, shard: number): void {
  store.raiseHighWater((shard + 1) * spoolLimits.recordsPerShard - 1);
}
