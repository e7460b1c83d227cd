import { numberIn, textIn } from "./database.ts";
import type { Statements } from "./statements.ts";
import { DEFERRED, READY } from "./store.ts";

export interface ReadyDelivery {
  readonly sequence: number;
  readonly id: string;
  readonly imageBytes: number;
  readonly attempts: number;
  readonly cursor?: string;
}

export interface ReadyRequest {
  readonly targetId: string;
  /** In spool time. */
  readonly nowMs: number;
  readonly deliveriesMax: number;
  /** So many of them come from the newest records, while more are waiting than asked for. */
  readonly newest: number;
  /** Sequences that somebody works on. */
  readonly leased: readonly number[];
}

export interface ReadyDeliveries {
  /** By priority, then oldest first; in front of them those from the newest end. */
  readonly deliveries: readonly ReadyDelivery[];
  /** How many of them are from the newest end. */
  readonly newest: number;
  /** Further ones wait. */
  readonly more: boolean;
  /** When the next deferred delivery of this target becomes ready, in spool time. */
  readonly nextAtMs?: number;
}

const columns = "d.seq AS seq, d.priority AS priority, d.attempts AS attempts, d.cursor AS cursor";
const selected = `SELECT ${columns}, i.image_bytes AS image_bytes, i.id AS id
                    FROM dlv d CROSS JOIN item i ON i.seq = d.seq WHERE d.target = ? AND d.state = ${READY}`;
const unleased = "d.seq NOT IN (SELECT value FROM json_each(?))";

/** Both walk the index dlv_ready from one of its ends: what else waits costs nothing. */
export const oldestReady = `${selected} AND ${unleased} ORDER BY d.priority DESC, d.seq LIMIT ?`;
export const newestReady = `${selected} AND d.priority = ? AND ${unleased} ORDER BY d.seq DESC LIMIT ?`;

/** Makes those ready whose delay has passed, at most `wakeMax` in one call, and selects what is to be leased next. */
export function selectReady(sql: Statements, request: ReadyRequest, wakeMax: number): ReadyDeliveries {
  const { targetId, nowMs } = request;
  return sql.transaction("select what is due", () => {
    sql.run(
      `UPDATE dlv SET state = ${READY} WHERE target = ? AND state = ${DEFERRED} AND seq IN
         (SELECT seq FROM dlv WHERE target = ? AND state = ${DEFERRED} AND due_at <= ? ORDER BY due_at LIMIT ?)`,
      ...[targetId, targetId, nowMs, wakeMax],
    );
    const ready = fromBothEnds(sql, request);
    const next = sql.get(
      `SELECT due_at FROM dlv WHERE target = ? AND state = ${DEFERRED} ORDER BY due_at LIMIT 1`,
      targetId,
    );
    return next === undefined ? ready : { ...ready, nextAtMs: numberIn(next, "due_at") };
  });
}

function fromBothEnds(sql: Statements, { targetId, deliveriesMax, newest, leased }: ReadyRequest): ReadyDeliveries {
  const leasedJson = JSON.stringify(leased);
  const rows = sql.all(oldestReady, targetId, leasedJson, deliveriesMax + 1);
  const oldest = rows.slice(0, deliveriesMax).map(readyDeliveryOf);
  const more = rows.length > oldest.length;
  if (newest === 0 || !more) return { deliveries: oldest, newest: 0, more };
  const highest = numberIn(rows[0], "priority");
  const late = sql
    .all(newestReady, targetId, highest, leasedJson, Math.min(newest, deliveriesMax))
    .map(readyDeliveryOf);
  const taken = new Set(late.map(({ sequence }) => sequence));
  const early = oldest.filter(({ sequence }) => !taken.has(sequence));
  return { deliveries: [...late, ...early].slice(0, deliveriesMax), newest: late.length, more };
}

function readyDeliveryOf(row: unknown): ReadyDelivery {
  const cursor = textIn(row, "cursor");
  return {
    sequence: numberIn(row, "seq"),
    id: textIn(row, "id") ?? "",
    attempts: numberIn(row, "attempts"),
    imageBytes: numberIn(row, "image_bytes"),
    ...(cursor === undefined ? {} : { cursor }),
  };
}
