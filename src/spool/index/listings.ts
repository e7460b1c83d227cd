import { spoolLimits } from "../../core/spool-limits.ts";
import type { Loss } from "../../core/ports.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import { type Amount, HELD, QUARANTINED, READY } from "./store.ts";

export type DeliveryState = "pending" | "quarantined" | "held";

export interface IndexedDelivery {
  readonly targetId: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly cursor?: string;
  readonly error?: string;
}

export interface IndexedRecord {
  readonly sequence: number;
  readonly deliveries: readonly IndexedDelivery[];
}

export interface TargetCounts {
  readonly targetId: string;
  readonly pending: number;
  readonly quarantined: number;
  readonly accepted: number;
  /** Of a target that is configured no more; running time. */
  readonly absentSinceMs?: number;
}

export interface IndexStats extends Amount {
  readonly targets: readonly TargetCounts[];
  /** Records given up since the index was made because their file was damaged, or gone. */
  readonly damaged: number;
  readonly missing: number;
  /** Of `records`: those that need the key. */
  readonly encrypted: number;
  readonly lost: readonly Loss[];
  /** Running time at which the oldest record was added; absent where there is none. */
  readonly oldestAddedAtMs?: number;
}

export interface ListSelection {
  readonly targetId?: string;
  readonly state?: DeliveryState;
}

/** `next`: where to look on. */
export interface FoundId {
  readonly sequence?: number;
  readonly next?: number;
}

/** What there is, for people. */
export class Listings {
  readonly #sql: Statements;
  readonly #losses: Losses;

  constructor(statements: Statements, losses: Losses) {
    this.#sql = statements;
    this.#losses = losses;
  }

  stats(): IndexStats {
    return classified("count", () => {
      const values = new Map(
        this.#sql.all("SELECT name, value FROM kv").map((row) => [textIn(row, "name") ?? "", numberIn(row, "value")]),
      );
      const absentSince = new Map(
        this.#sql
          .all("SELECT id, absent_since FROM target WHERE absent_since IS NOT NULL")
          .map((row) => [textIn(row, "id") ?? "", numberIn(row, "absent_since")]),
      );
      const valueOf = (name: string): number => values.get(name) ?? 0;
      const targetIds = new Set([...values.keys()].flatMap((name) => /^[a-z-]+:(.+)$/.exec(name)?.[1] ?? []));
      return {
        records: valueOf("records"),
        bytes: valueOf("bytes"),
        damaged: valueOf("damaged"),
        missing: valueOf("missing"),
        encrypted: valueOf("encrypted"),
        lost: this.#losses.all(),
        ...this.#oldest(),
        targets: [...targetIds].sort().map((targetId) => ({
          targetId,
          pending: valueOf(`pending:${targetId}`),
          quarantined: valueOf(`quarantined:${targetId}`),
          accepted: valueOf(`accepted:${targetId}`),
          ...absenceOf(absentSince.get(targetId)),
        })),
      };
    });
  }

  #oldest(): { readonly oldestAddedAtMs?: number } {
    const row = this.#sql.get("SELECT added_at FROM item ORDER BY seq LIMIT 1");
    return row === undefined ? {} : { oldestAddedAtMs: numberIn(row, "added_at") };
  }

  /** Records with a delivery that fits, oldest first, each with all its deliveries. */
  list(afterSequence: number, recordsMax: number, selection: ListSelection = {}): readonly IndexedRecord[] {
    return classified("list", () =>
      this.#fitting(afterSequence, recordsMax, selection).map((row) => {
        const sequence = numberIn(row, "seq");
        return { sequence, deliveries: this.deliveriesOf(sequence) };
      }),
    );
  }

  /** What is set aside is little and has indexes of its own, which a query finds only by a constant state. */
  #fitting(after: number, recordsMax: number, { targetId = "", state }: ListSelection): readonly unknown[] {
    if (targetId === "" && state === undefined) {
      return this.#sql.all("SELECT seq FROM item WHERE seq > ? ORDER BY seq LIMIT ?", after, recordsMax);
    }
    if (state === "quarantined" || state === "held") {
      return this.#sql.all(
        `SELECT DISTINCT seq FROM dlv WHERE state = ${statesOf(state)[0]} AND seq > ? AND (? = '' OR target = ?)
          ORDER BY seq LIMIT ?`,
        ...[after, targetId, targetId, recordsMax],
      );
    }
    return this.#sql.all(
      `SELECT seq FROM item WHERE seq > ? AND EXISTS
         (SELECT 1 FROM dlv WHERE dlv.seq = item.seq AND state BETWEEN ? AND ? AND (? = '' OR target = ?))
        ORDER BY seq LIMIT ?`,
      ...[after, ...statesOf(state), targetId, targetId, recordsMax],
    );
  }

  /** Looks for a record by its id among the next ones: no index holds ids, which would cost every append a page. */
  findId(id: string, afterSequence: number): FoundId {
    return classified("find", () => {
      const { idsSearchedMax } = spoolLimits;
      const window = this.#sql.get(
        "SELECT count(*) AS rows, max(seq) AS last FROM (SELECT seq FROM item WHERE seq > ? ORDER BY seq LIMIT ?)",
        ...[afterSequence, idsSearchedMax],
      );
      const last = numberIn(window, "last");
      const row = this.#sql.get("SELECT seq FROM item WHERE seq > ? AND seq <= ? AND id = ?", afterSequence, last, id);
      if (row !== undefined) return { sequence: numberIn(row, "seq") };
      return numberIn(window, "rows") === idsSearchedMax ? { next: last } : {};
    });
  }

  /** Sequences, the newest first. */
  newest(recordsMax: number): readonly number[] {
    return classified("list", () =>
      this.#sql.all("SELECT seq FROM item ORDER BY seq DESC LIMIT ?", recordsMax).map((row) => numberIn(row, "seq")),
    );
  }

  deliveriesOf(sequence: number): readonly IndexedDelivery[] {
    return this.#sql
      .all("SELECT target, state, attempts, cursor, error FROM dlv WHERE seq = ? ORDER BY target", sequence)
      .map(indexedDeliveryOf);
  }
}

function absenceOf(absentSinceMs: number | undefined): Pick<TargetCounts, "absentSinceMs"> {
  return absentSinceMs === undefined ? {} : { absentSinceMs };
}

function indexedDeliveryOf(row: unknown): IndexedDelivery {
  const cursor = textIn(row, "cursor");
  const error = textIn(row, "error");
  return {
    targetId: textIn(row, "target") ?? "",
    state: stateOf(numberIn(row, "state")),
    attempts: numberIn(row, "attempts"),
    ...(cursor === undefined ? {} : { cursor }),
    ...(error === undefined ? {} : { error }),
  };
}

/** The states, as stored, that a word stands for: from and to. */
export function statesOf(state: DeliveryState | undefined): readonly [from: number, to: number] {
  switch (state) {
    case undefined:
      return [READY, HELD];
    case "pending":
      return [READY, QUARANTINED - 1];
    case "quarantined":
      return [QUARANTINED, QUARANTINED];
    case "held":
      return [HELD, HELD];
  }
}

function stateOf(stored: number): DeliveryState {
  if (stored === QUARANTINED) return "quarantined";
  return stored === HELD ? "held" : "pending";
}
