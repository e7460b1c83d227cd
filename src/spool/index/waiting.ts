import { classified, numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";
import { DEFERRED, READY } from "./store.ts";

export interface WaitingDeliveries {
  readonly targetId: string;
  /** On disk, of records that are pending for it. */
  readonly bytes: number;
  /** Running time at which the oldest of them was added; absent where there is none. */
  readonly oldestAddedAtMs?: number;
}

/** Of the next lower priority. */
const oldestReadyBelow = `
  SELECT seq, priority FROM dlv INDEXED BY dlv_ready
   WHERE target = ? AND state = ${READY} AND priority < ? ORDER BY priority DESC, seq LIMIT 1`;

/** Among those that are due next; while a target is away, most wait undeferred. */
const oldestDeferred = `
  SELECT seq FROM (SELECT seq FROM dlv INDEXED BY dlv_deferred
   WHERE target = ? AND state = ${DEFERRED} ORDER BY due_at LIMIT 256) ORDER BY seq LIMIT 1`;

/** Of rules and of an operator. */
const prioritiesMax = 8;

/** What waits for each target; costs some look-ups, however much it is. */
export function waitingDeliveries(sql: Statements): readonly WaitingDeliveries[] {
  return classified("count what waits", () =>
    sql.all("SELECT name, value FROM kv WHERE name LIKE 'owed-bytes:%'").map((row) => {
      const targetId = (textIn(row, "name") ?? "").slice("owed-bytes:".length);
      const sequence = oldestOf(sql, targetId);
      const item = sequence === undefined ? undefined : sql.get("SELECT added_at FROM item WHERE seq = ?", sequence);
      const oldest = item === undefined ? {} : { oldestAddedAtMs: numberIn(item, "added_at") };
      return { targetId, bytes: numberIn(row, "value"), ...oldest };
    }),
  );
}

function oldestOf(sql: Statements, targetId: string): number | undefined {
  const sequences: number[] = [];
  for (let below = 2 ** 31, classes = 0; classes < prioritiesMax; classes += 1) {
    const row = sql.get(oldestReadyBelow, targetId, below);
    if (row === undefined) break;
    below = numberIn(row, "priority");
    sequences.push(numberIn(row, "seq"));
  }
  const deferred = sql.get(oldestDeferred, targetId);
  if (deferred !== undefined) sequences.push(numberIn(deferred, "seq"));
  return sequences.length === 0 ? undefined : Math.min(...sequences);
}
