import type { Loss } from "../../core/ports.ts";
import { classified, numberIn, textIn } from "./database.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import { type Amount, HELD, QUARANTINED } from "./store.ts";

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

  list(afterSequence: number, recordsMax: number): readonly IndexedRecord[] {
    return classified("list", () =>
      this.#sql.all("SELECT seq FROM item WHERE seq > ? ORDER BY seq LIMIT ?", afterSequence, recordsMax).map((row) => {
        const sequence = numberIn(row, "seq");
        return { sequence, deliveries: this.deliveriesOf(sequence) };
      }),
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

function stateOf(stored: number): DeliveryState {
  if (stored === QUARANTINED) return "quarantined";
  return stored === HELD ? "held" : "pending";
}
