import { spoolLimits } from "../../core/spool-limits.ts";
import { type Layout, shardOf } from "../layout.ts";
import { classified, numberIn, textIn } from "./database.ts";
import { sequencesInShard, shardsOnDisk } from "./disk.ts";
import type { IndexMarks } from "./marks.ts";
import type { Statements } from "./statements.ts";
import { HELD, type IndexStore, QUARANTINED } from "./store.ts";

/** What a row says of its record, to be held against the file. */
export interface RowFacts {
  readonly sequence: number;
  readonly id: string;
  readonly priority: number;
  readonly imageBytes: number;
  readonly bytes: number;
}

export interface InspectedRow extends RowFacts {
  readonly deliveries: number;
  /** Of `deliveries`: those that are ordered by another priority than the record's. */
  readonly deliveriesAstray: number;
}

export interface InspectedPage {
  readonly rows: readonly InspectedRow[];
  /** Of deliveries whose record is in no row. */
  readonly withoutRecord: readonly number[];
  /** Of envelopes that nothing in the index speaks of. */
  readonly withoutRow: readonly number[];
  /** Shards that cannot be listed, now or at the last start: what they hold waits for a later start. */
  readonly unlisted: readonly number[];
  readonly lastSequence: number;
  readonly done: boolean;
}

export interface Counter {
  readonly name: string;
  readonly kept: number;
  readonly counted: number;
}

export interface InspectedTotals {
  /** Counters that differ from what is there. */
  readonly wrong: readonly Counter[];
  readonly highWater: number;
  /** The newest record that anything in the index speaks of. */
  readonly newest: number;
}

export interface InspectionParts {
  readonly sql: Statements;
  readonly store: IndexStore;
  readonly marks: IndexMarks;
  readonly layout: Layout;
}

/**
 * Looks at the invariants that the index alone can tell, each call at one moment: nothing is appended, settled or removed
 * meanwhile, since all of that happens in this thread.
 */
export class Inspection {
  readonly #sql: Statements;
  readonly #store: IndexStore;
  readonly #marks: IndexMarks;
  readonly #layout: Layout;

  constructor({ sql, store, marks, layout }: InspectionParts) {
    this.#sql = sql;
    this.#store = store;
    this.#marks = marks;
    this.#layout = layout;
  }

  /** The next records after `after`, and what lies between them. Files after `lastIndexed` may not have their row yet. */
  page(after: number, lastIndexed: number): InspectedPage {
    return classified("inspect", () => {
      const rows = this.#rows(after, lastIndexed);
      const done = rows.length === 0;
      const to = rows.at(-1)?.sequence ?? Math.max(after, lastIndexed);
      const withoutRecord = this.#withoutRecord(after, done ? Number.MAX_SAFE_INTEGER : to);
      const spokenOf = new Set([...rows.map(({ sequence }) => sequence), ...withoutRecord]);
      return {
        rows,
        withoutRecord,
        ...this.#files(after, to, spokenOf, done),
        lastSequence: to,
        done,
      };
    });
  }

  hasRow(sequence: number): boolean {
    return classified(
      "inspect",
      () => this.#sql.get("SELECT 1 AS there FROM item WHERE seq = ?", sequence) !== undefined,
    );
  }

  totals(): InspectedTotals {
    return classified("inspect", () => ({
      wrong: this.#counters().filter(({ kept, counted }) => kept !== counted),
      highWater: this.#store.highWater(),
      newest: numberIn(
        this.#sql.get(
          "SELECT max((SELECT coalesce(max(seq), 0) FROM gone), (SELECT coalesce(max(seq), 0) FROM dlv)) AS m",
        ),
        "m",
      ),
    }));
  }

  /** As many as one step takes, by number and by bytes. */
  #rows(after: number, lastIndexed: number): readonly InspectedRow[] {
    const rows = this.#sql.all(
      `SELECT seq, id, priority, image_bytes, bytes,
              (SELECT count(*) FROM dlv WHERE dlv.seq = item.seq) AS deliveries,
              (SELECT count(*) FROM dlv WHERE dlv.seq = item.seq AND dlv.priority <> item.priority) AS astray
         FROM item WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
      ...[after, lastIndexed, spoolLimits.verifyRecordsMax],
    );
    const taken: InspectedRow[] = [];
    let bytes = 0;
    for (const row of rows) {
      const facts = inspectedRowOf(row);
      bytes += facts.bytes;
      if (taken.length > 0 && bytes > spoolLimits.verifyBytesMax) break;
      taken.push(facts);
    }
    return taken;
  }

  #withoutRecord(after: number, to: number): readonly number[] {
    return this.#sql
      .all(
        `SELECT DISTINCT seq FROM dlv
          WHERE seq > ? AND seq <= ? AND NOT EXISTS (SELECT 1 FROM item WHERE item.seq = dlv.seq) ORDER BY seq`,
        ...[after, to],
      )
      .map((row) => numberIn(row, "seq"));
  }

  #files(
    after: number,
    to: number,
    spokenOf: ReadonlySet<number>,
    done: boolean,
  ): Pick<InspectedPage, "withoutRow" | "unlisted"> {
    const waiting = this.#marks.unlisted();
    const withoutRow: number[] = [];
    const unlisted: number[] = [];
    for (const shard of shardsOnDisk(this.#layout, after + 1)) {
      if (shard > shardOf(to)) break;
      const sequences = waiting.has(shard) ? undefined : sequencesInShard(this.#layout, shard);
      // Told once, by the page that gets past it.
      if (sequences === undefined && (done || shard < shardOf(to + 1))) unlisted.push(shard);
      for (const sequence of sequences ?? []) {
        const known = sequence <= after || sequence > to || spokenOf.has(sequence) || this.#store.isFinished(sequence);
        if (!known) withoutRow.push(sequence);
      }
    }
    return { withoutRow, unlisted };
  }

  #counters(): readonly Counter[] {
    const items = this.#sql.get(
      `SELECT count(*) AS records, coalesce(sum(bytes), 0) AS bytes, coalesce(sum(encrypted), 0) AS encrypted FROM item`,
    );
    const counted = new Map(["records", "bytes", "encrypted"].map((name) => [name, numberIn(items, name)]));
    for (const [name, value] of this.#countedDeliveries()) counted.set(name, value);
    const kept = new Map(
      this.#sql.all("SELECT name, value FROM kv").map((row) => [textIn(row, "name") ?? "", numberIn(row, "value")]),
    );
    const names = [...kept.keys()].filter((name) => /^(pending|quarantined|owed-bytes):/.test(name));
    return [...new Set([...counted.keys(), ...names])].map((name) => ({
      name,
      kept: kept.get(name) ?? 0,
      counted: counted.get(name) ?? 0,
    }));
  }

  /** Range by range: to group all of them at once would take memory for each. */
  #countedDeliveries(): ReadonlyMap<string, number> {
    const counted = new Map<string, number>();
    for (let from = 0; ;) {
      const range = this.#sql.get(
        "SELECT max(seq) AS last FROM (SELECT seq FROM dlv WHERE seq >= ? ORDER BY seq LIMIT ?)",
        ...[from, spoolLimits.countRowsMax],
      );
      const last = numberIn(range, "last");
      if (last === 0) return counted;
      for (const row of this.#sql.all(
        `SELECT d.target AS target, sum(d.state < ${QUARANTINED}) AS pending, sum(d.state = ${QUARANTINED}) AS quarantined,
                sum(CASE WHEN d.state < ${QUARANTINED} THEN i.bytes ELSE 0 END) AS owed
           FROM dlv d LEFT JOIN item i ON i.seq = d.seq
          WHERE d.seq BETWEEN ? AND ? AND d.state <= ${HELD} GROUP BY d.target`,
        ...[from, last],
      )) {
        const targetId = textIn(row, "target") ?? "";
        for (const [name, column] of [
          [`pending:${targetId}`, "pending"],
          [`quarantined:${targetId}`, "quarantined"],
          [`owed-bytes:${targetId}`, "owed"],
        ] as const) {
          counted.set(name, (counted.get(name) ?? 0) + numberIn(row, column));
        }
      }
      from = last + 1;
    }
  }
}

function inspectedRowOf(row: unknown): InspectedRow {
  return {
    sequence: numberIn(row, "seq"),
    id: textIn(row, "id") ?? "",
    priority: numberIn(row, "priority"),
    imageBytes: numberIn(row, "image_bytes"),
    bytes: numberIn(row, "bytes"),
    deliveries: numberIn(row, "deliveries"),
    deliveriesAstray: numberIn(row, "astray"),
  };
}
