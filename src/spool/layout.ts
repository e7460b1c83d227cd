import { join } from "node:path";
import { spoolLimits } from "../core/spool-limits.ts";

/**
 * Where things lie in the spool's folder:
 *
 *     VERSION                      number of this format
 *     id                           part of every record's name: another one whenever sequences start again
 *     key                          tells the right key of encrypted records from a wrong one; it is not the key
 *     lock, owner                  held by the process that owns the folder; its name, for error texts
 *     data/<shard>/<sequence>.jpg  one envelope a record; shard = floor(sequence / 4096)
 *     index.db, -wal, -shm         what is owed to whom; can be rebuilt from data/
 *     bad/<sequence>.jpg.bad       damaged envelopes, the newest few
 *     index.db.bad                 the last damaged index
 *     VERSION.bad, id.bad          folders that lay in the place of those files
 *
 * The newest shard is never removed: when the index is lost, sequences go on in the shard after it, so that none is
 * ever used twice.
 */
export interface Layout {
  readonly folder: string;
  readonly data: string;
  readonly bad: string;
  readonly index: string;
  readonly lock: string;
  readonly version: string;
  readonly id: string;
  readonly key: string;
}

export function layoutOf(folder: string): Layout {
  return {
    folder,
    data: join(folder, "data"),
    bad: join(folder, "bad"),
    index: join(folder, "index.db"),
    lock: join(folder, "lock"),
    version: join(folder, "VERSION"),
    id: join(folder, "id"),
    key: join(folder, "key"),
  };
}

export function shardOf(sequence: number): number {
  return Math.floor(sequence / spoolLimits.recordsPerShard);
}

export function shardPath(layout: Layout, shard: number): string {
  return join(layout.data, String(shard).padStart(8, "0"));
}

export function envelopePath(layout: Layout, sequence: number): string {
  return join(shardPath(layout, shardOf(sequence)), `${String(sequence).padStart(12, "0")}.jpg`);
}

/** The shard that a folder name of `data/` stands for; undefined for anything else that lies there. */
export function shardOfName(name: string): number | undefined {
  return /^\d{8,}$/.test(name) ? Number(name) : undefined;
}

export function sequenceOfName(name: string): number | undefined {
  return /^\d{12,}\.jpg$/.test(name) ? Number(name.slice(0, -4)) : undefined;
}
