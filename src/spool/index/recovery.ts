import { spoolLimits } from "../../core/spool-limits.ts";
import type { RecordCipher } from "../cipher.ts";
import { type Layout, shardOf } from "../layout.ts";
import { type Depth, examine, sequencesInShard, setEnvelopeAside, shardsOnDisk } from "./disk.ts";
import type { IndexMarks } from "./marks.ts";
import type { IndexEntry, IndexStore } from "./store.ts";

export interface Recovered {
  /** Envelopes that the index did not know. */
  readonly recovered: number;
  readonly damaged: number;
  /** Of the damaged ones, those that could not be moved out of the way. */
  readonly immovable: number;
  /** Shards that could not be listed: what they hold waits for a later start. */
  readonly unlisted: number;
}

export interface RecoveryParts {
  readonly layout: Layout;
  readonly store: IndexStore;
  readonly marks: IndexMarks;
  readonly cipher: RecordCipher | undefined;
}

/**
 * Brings the index up to what the files say. Only files above the high water are examined: all others were in the index
 * when it was last durable. A fresh index has no high water, so then it is all of them. Where `lastSequence` is given,
 * records after it are not in the index yet, and their files are nobody's business.
 *
 * A shard that cannot be listed is passed over and remembered: its sequences are never used again, and every later start
 * looks into it anew.
 */
export function recover(parts: RecoveryParts, depth: Depth, addedAtMs: number, lastSequence = Infinity): Recovered {
  const { layout, store, marks } = parts;
  const after = store.highWater();
  const intake = new Intake(parts, addedAtMs);
  const take = (shard: number, afterSequence: number, depthThere: Depth): boolean => {
    const sequences = sequencesInShard(layout, shard);
    for (const sequence of sequences ?? []) {
      if (sequence > afterSequence && sequence <= lastSequence) intake.take(sequence, depthThere);
    }
    return sequences !== undefined;
  };
  const remembered = marks.unlisted();
  for (const [shard, afterSequence] of remembered) {
    if (!take(shard, afterSequence, "headers")) continue;
    intake.flush();
    marks.removeUnlisted(shard);
  }
  const shards = shardsOnDisk(layout, after + 1);
  const unlisted = shards.filter((shard) => !remembered.has(shard) && !take(shard, after, depth));
  intake.flush();
  store.countDamaged(intake.damaged);
  // Also past those without a row: their files may still be there, and their names have been given out.
  if (intake.damaged > 0) store.raiseHighWater(intake.seen);
  for (const shard of unlisted) marks.addUnlisted(shard, after);
  // All that are remembered, for a crash may have come between the two.
  const waiting = marks.unlisted();
  for (const shard of waiting.keys()) skipShard(store, shard);
  const newest = shards.at(-1);
  if (Number.isFinite(lastSequence)) store.raiseHighWater(lastSequence);
  else if (newest !== undefined && newest > shardOf(store.highWater())) skipShard(store, newest);
  else if (newest !== undefined && depth === "headers") skipShard(store, newest);
  const { recovered, damaged, immovable } = intake;
  return { recovered, damaged, immovable, unlisted: waiting.size };
}

/** How many sequences of this shard were used cannot be known any more: go on after it. */
function skipShard(store: IndexStore, shard: number): void {
  store.raiseHighWater((shard + 1) * spoolLimits.recordsPerShard - 1);
}

/** Takes envelopes into the index, in groups; damaged ones are set aside. */
class Intake {
  recovered = 0;
  damaged = 0;
  immovable = 0;
  /** The last sequence that was examined. */
  seen = 0;
  readonly #parts: RecoveryParts;
  readonly #addedAtMs: number;
  #entries: IndexEntry[] = [];

  constructor(parts: RecoveryParts, addedAtMs: number) {
    this.#parts = parts;
    this.#addedAtMs = addedAtMs;
  }

  take(sequence: number, depth: Depth): void {
    const { layout, store, cipher } = this.#parts;
    if (store.isFinished(sequence)) return;
    this.seen = Math.max(this.seen, sequence);
    const examined = examine(layout, sequence, depth, cipher);
    if (examined.ok) this.#entries.push(examined.value);
    else {
      this.damaged += 1;
      if (!setEnvelopeAside(layout, sequence)) this.immovable += 1;
    }
    if (this.#entries.length >= spoolLimits.rebuildRecords) this.flush();
  }

  flush(): void {
    this.#parts.store.insert(this.#entries, this.#addedAtMs);
    this.recovered += this.#entries.length;
    this.#entries = [];
  }
}
