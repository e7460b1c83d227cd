import type { RecordCipher } from "../cipher.ts";
import type { Layout } from "../layout.ts";
import { numberIn, textIn } from "./database.ts";
import { examine, setEnvelopeAside } from "./disk.ts";
import type { Inspection, RowFacts } from "./inspection.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import { type IndexStore, QUARANTINED, READY } from "./store.ts";

/** What a check may put right. */
export type Mending =
  /** The row is brought up to its file. */
  | { readonly kind: "row"; readonly facts: RowFacts }
  /** A record without deliveries is owed to those its file names: some of them may get it a second time. */
  | { readonly kind: "owe"; readonly sequence: number; readonly targetIds: readonly string[] }
  /** Deliveries without a record get it back from its file; where that is gone too, they are lost. */
  | { readonly kind: "deliveries"; readonly sequence: number }
  /** A file without a record is set aside. */
  | { readonly kind: "file"; readonly sequence: number }
  | { readonly kind: "totals" };

export interface MenderParts {
  readonly sql: Statements;
  readonly store: IndexStore;
  readonly losses: Losses;
  readonly inspection: Inspection;
  readonly layout: Layout;
  readonly cipher: RecordCipher | undefined;
}

/** Puts right what an inspection found. The files are the truth; nothing is given up that they still hold. */
export class Mender {
  readonly #sql: Statements;
  readonly #store: IndexStore;
  readonly #losses: Losses;
  readonly #inspection: Inspection;
  readonly #layout: Layout;
  readonly #cipher: RecordCipher | undefined;

  constructor({ sql, store, losses, inspection, layout, cipher }: MenderParts) {
    this.#sql = sql;
    this.#store = store;
    this.#losses = losses;
    this.#inspection = inspection;
    this.#layout = layout;
    this.#cipher = cipher;
  }

  /** False where it could not be done. */
  mend(mending: Mending): boolean {
    switch (mending.kind) {
      case "row":
        this.#sql.transaction("mend a row", () => this.#row(mending.facts));
        return true;
      case "owe":
        this.#sql.transaction("owe a record", () => this.#owe(mending.sequence, mending.targetIds));
        return true;
      case "deliveries":
        this.#deliveries(mending.sequence);
        return true;
      case "file":
        return !this.#inspection.hasRow(mending.sequence) && setEnvelopeAside(this.#layout, mending.sequence);
      case "totals":
        this.#totals();
        return true;
    }
  }

  #row({ sequence, id, priority, imageBytes, bytes }: RowFacts): void {
    const row = this.#sql.get("SELECT bytes FROM item WHERE seq = ?", sequence);
    if (row === undefined) return;
    this.#sql.run(
      "UPDATE item SET id = ?, priority = ?, image_bytes = ?, bytes = ? WHERE seq = ?",
      ...[id, priority, imageBytes, bytes, sequence],
    );
    this.#sql.run("UPDATE dlv SET priority = ? WHERE seq = ?", priority, sequence);
    const grownBytes = bytes - numberIn(row, "bytes");
    const owed = this.#sql
      .all(`SELECT target FROM dlv WHERE seq = ? AND state < ${QUARANTINED}`, sequence)
      .map((delivery) => [`owed-bytes:${textIn(delivery, "target") ?? ""}`, grownBytes] as const);
    this.#sql.count(["bytes", grownBytes], ...owed);
  }

  #owe(sequence: number, targetIds: readonly string[]): void {
    const row = this.#sql.get("SELECT priority, bytes FROM item WHERE seq = ?", sequence);
    if (row === undefined) return;
    for (const targetId of targetIds) {
      const added = this.#sql.run(
        `INSERT OR IGNORE INTO dlv (seq, target, state, priority, attempts, due_at) VALUES (?, ?, ${READY}, ?, 0, 0)`,
        ...[sequence, targetId, numberIn(row, "priority")],
      );
      this.#sql.count([`pending:${targetId}`, added], [`owed-bytes:${targetId}`, added * numberIn(row, "bytes")]);
    }
  }

  #deliveries(sequence: number): void {
    if (this.#inspection.hasRow(sequence)) return;
    const examined = examine(this.#layout, sequence, "all", this.#cipher);
    if (examined.ok) {
      // Its deliveries are there, also those that it came along with.
      const { arrival, ...known } = examined.value;
      const entry = { ...known, owedTo: [] };
      this.#store.insert(
        [arrival === undefined ? entry : { ...entry, arrival: { ...arrival, deliveries: [] } }],
        this.#sql.value("ran_ms"),
      );
      return;
    }
    this.#sql.transaction("give up deliveries without a record", () => {
      const rows = this.#sql.all("SELECT target, priority FROM dlv WHERE seq = ?", sequence);
      this.#sql.run("DELETE FROM dlv WHERE seq = ?", sequence);
      this.#losses.count(
        rows.map((row) => ({
          targetId: textIn(row, "target") ?? "",
          priority: numberIn(row, "priority"),
          reason: "missing",
          deliveries: 1,
        })),
      );
    });
  }

  #totals(): void {
    this.#sql.transaction("correct counters", () => {
      const { wrong, newest } = this.#inspection.totals();
      for (const { name, kept, counted } of wrong) this.#sql.count([name, counted - kept]);
      this.#sql.raise("high_water", newest);
    });
  }
}
