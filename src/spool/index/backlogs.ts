import { spoolLimits } from "../../core/spool-limits.ts";
import type { Loss, LossReason } from "../../core/ports.ts";
import { classified, numberIn } from "./database.ts";
import type { Losses } from "./losses.ts";
import type { Statements } from "./statements.ts";
import { DEFERRED, HELD, type IndexStore, QUARANTINED, READY } from "./store.ts";
import type { Spared, Victim } from "./victims.ts";

/** What waits for one target. */
export interface Backlog {
  readonly targetId: string;
  readonly pending: number;
  readonly bytes: number;
}

/** How much may wait, and how far below that it is to be when it has to be brought down. */
export interface BacklogLimit extends Backlog {
  readonly slack: Omit<Backlog, "targetId">;
}

export interface Trimmed {
  /** Deliveries that were given up. */
  readonly lost: readonly Loss[];
  /** Records that nobody is owed any more. */
  readonly finished: number;
}

interface Owed extends Victim {
  readonly priority: number;
}

const nextClass = `
  SELECT d.priority AS priority FROM dlv d INDEXED BY dlv_ready
   WHERE d.target = ? AND d.state = ${READY} AND d.priority > ? ORDER BY d.priority LIMIT 1`;

const readyOfClass = `
  SELECT d.seq AS seq, d.priority AS priority, i.bytes AS bytes
    FROM dlv d INDEXED BY dlv_ready CROSS JOIN item i ON i.seq = d.seq
   WHERE d.target = ? AND d.state = ${READY} AND d.priority = ? AND d.seq <= ? ORDER BY d.seq LIMIT ?`;

const deferred = `
  SELECT d.seq AS seq, d.priority AS priority, i.bytes AS bytes
    FROM dlv d INDEXED BY dlv_deferred CROSS JOIN item i ON i.seq = d.seq
   WHERE d.target = ? AND d.state = ${DEFERRED} AND d.seq <= ? ORDER BY d.due_at LIMIT ?`;

export const backlogQueries = { nextClass, readyOfClass, deferred } as const;

/** Deliveries of one target that are given up; their record goes with the last of its deliveries. */
export class Backlogs {
  readonly #sql: Statements;
  readonly #store: IndexStore;
  readonly #losses: Losses;

  constructor(statements: Statements, store: IndexStore, losses: Losses) {
    this.#sql = statements;
    this.#store = store;
    this.#losses = losses;
  }

  of(targetId: string): Backlog {
    const pending = this.#sql.value(`pending:${targetId}`);
    return { targetId, pending, bytes: this.#sql.value(`owed-bytes:${targetId}`) };
  }

  /** Brings what waits for a target down below its limit: lowest priority first, then the oldest; one step of it. */
  trim(
    { targetId, slack, ...limit }: BacklogLimit,
    { priorityMax, spared }: { readonly priorityMax: number; readonly spared: Spared },
  ): Trimmed {
    let { pending, bytes } = this.of(targetId);
    if (pending <= limit.pending && bytes <= limit.bytes) return { lost: [], finished: 0 };
    const chosen: Owed[] = [];
    for (const owed of this.#lowest(targetId, Infinity, spared)) {
      if (pending <= limit.pending - slack.pending && bytes <= limit.bytes - slack.bytes) break;
      if (owed.priority > priorityMax) break;
      chosen.push(owed);
      pending -= 1;
      bytes -= owed.bytes;
    }
    return this.giveUp(targetId, chosen, "cap");
  }

  /** Gives up what waits for a target longer than it may: one step of it. */
  giveUpOld(targetId: string, lastSequence: number, spared: Spared): Trimmed {
    return this.giveUp(targetId, this.#lowest(targetId, lastSequence, spared), "age");
  }

  /** Pending and quarantined ones; in one transaction. */
  giveUp(targetId: string, owed: readonly Omit<Owed, "bytes">[], reason: LossReason): Trimmed {
    if (owed.length === 0) return { lost: [], finished: 0 };
    return this.#sql.transaction("give deliveries up", () => {
      let finished = 0;
      const byPriority = new Map<number, number>();
      for (const { sequence, priority } of owed) {
        const last = this.#store.takeAway(sequence, targetId, reason === "quarantine" ? HELD : QUARANTINED);
        if (last === undefined) continue;
        if (last) finished += 1;
        byPriority.set(priority, (byPriority.get(priority) ?? 0) + 1);
      }
      const lost = [...byPriority].map(([priority, deliveries]) => ({ targetId, priority, reason, deliveries }));
      this.#losses.count(lost);
      return { lost, finished };
    });
  }

  #lowest(targetId: string, lastSequence: number, spared: Spared): readonly Owed[] {
    return classified("select what may go", () => {
      const last = Math.min(lastSequence, Number.MAX_SAFE_INTEGER);
      const rows = spoolLimits.evictStepRecords + spared.size;
      const found = this.#sql.all(deferred, targetId, last, rows).map(owedOf);
      for (let above = -(2 ** 31) - 1, ready = 0; ready < rows;) {
        const next = this.#sql.get(nextClass, targetId, above);
        if (next === undefined) break;
        above = numberIn(next, "priority");
        const ofClass = this.#sql.all(readyOfClass, targetId, above, last, rows).map(owedOf);
        found.push(...ofClass);
        ready += ofClass.length;
      }
      return found
        .filter(({ sequence }) => !spared.has(sequence))
        .sort((one, other) => one.priority - other.priority || one.sequence - other.sequence)
        .slice(0, spoolLimits.evictStepRecords);
    });
  }
}

function owedOf(row: unknown): Owed {
  return { sequence: numberIn(row, "seq"), priority: numberIn(row, "priority"), bytes: numberIn(row, "bytes") };
}
