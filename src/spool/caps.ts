import { AgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { Collector } from "./collector.ts";
import type { Backlog } from "./index/backlogs.ts";
import type { IndexClient } from "./index/client.ts";
import type { Leases } from "./leases.ts";
import type { LossLog } from "./loss-log.ts";
import { slackOf } from "./room.ts";

export interface CapsParts {
  readonly index: IndexClient;
  readonly leases: Leases;
  readonly collector: Collector;
  readonly losses: LossLog;
}

export interface CappedTarget {
  readonly id: string;
  readonly backlog: { readonly recordsMax?: number; readonly bytesMax?: number };
}

/** A place for one record with its targets. */
export interface Admitted {
  readonly owedTo: readonly string[];
  /** Their share is full of records that matter more. */
  readonly unowed: readonly string[];
  /** Those whose backlog has to be told after the insert. */
  readonly capped: readonly string[];
  readonly bytes: number;
}

interface Capped {
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** By the index's last word; undefined until it was asked. */
  known: Backlog | undefined;
  adding: { readonly records: number; readonly bytes: number };
}

/** Bounds of what may wait for single targets, checked before each write without asking the index on the usual way. */
export class Caps {
  readonly #parts: CapsParts;
  readonly #targets: ReadonlyMap<string, Capped>;

  constructor(targets: readonly CappedTarget[], parts: CapsParts) {
    this.#parts = parts;
    this.#targets = new Map(
      targets
        .filter(({ backlog }) => backlog.recordsMax !== undefined || backlog.bytesMax !== undefined)
        .map(({ id, backlog: { recordsMax = Infinity, bytesMax = Infinity } }) => [
          id,
          { recordsMax, bytesMax, known: undefined, adding: { records: 0, bytes: 0 } },
        ]),
    );
  }

  /**
   * Makes a place in the share of each target, by giving up what waits there already and matters no more than the new
   * record. Fails with `SPOOL_FULL` when there is none at all. Call `done` in the end.
   */
  async admit(owedTo: readonly string[], bytes: number, priority: number): Promise<Admitted> {
    const unowed: string[] = [];
    const capped: string[] = [];
    try {
      for (const targetId of owedTo) {
        const target = this.#targets.get(targetId);
        if (target === undefined) continue;
        if (fits(target, bytes) || (await this.#makePlace(targetId, target, bytes, priority))) {
          this.#add(targetId, 1, bytes);
          capped.push(targetId);
        } else unowed.push(targetId);
      }
    } catch (error) {
      this.done({ capped, bytes }, []);
      throw error;
    }
    if (unowed.length === owedTo.length) throw noPlace(unowed);
    return { owedTo: owedTo.filter((targetId) => !unowed.includes(targetId)), unowed, capped, bytes };
  }

  /** Of a record that keeps its place whatever the shares are: it waited elsewhere before. Call `done` in the end. */
  noted(owedTo: readonly string[], bytes: number): Admitted {
    const capped = owedTo.filter((targetId) => this.#targets.has(targetId));
    for (const targetId of capped) this.#add(targetId, 1, bytes);
    return { owedTo, unowed: [], capped, bytes };
  }

  /** The record is written, and the backlogs are as the index told after it; or it is not, and they are as they were. */
  done({ capped, bytes }: Pick<Admitted, "capped" | "bytes">, backlogs: readonly Backlog[]): void {
    for (const targetId of capped) this.#add(targetId, -1, -bytes);
    for (const backlog of backlogs) {
      const target = this.#targets.get(backlog.targetId);
      if (target !== undefined) target.known = backlog;
    }
  }

  #add(targetId: string, records: number, bytes: number): void {
    const target = this.#targets.get(targetId);
    if (target === undefined) return;
    target.adding = { records: target.adding.records + records, bytes: target.adding.bytes + bytes };
  }

  async #makePlace(targetId: string, target: Capped, bytes: number, priority: number): Promise<boolean> {
    const { index, leases, collector, losses } = this.#parts;
    for (let steps = 0; steps < spoolLimits.evictStepsMax; steps += 1) {
      const { backlog, lost, finished } = await leases.excluding((leased) =>
        index.call("trim", { targetId, ...limitOf(target, bytes), slack: slackFor(target, bytes) }, priority, leased),
      );
      target.known = backlog;
      losses.add(lost);
      collector.settled(finished);
      if (fits(target, bytes)) return true;
      if (lost.length === 0) return false;
    }
    return false;
  }
}

/** Also with the records that are being written. Before the index was asked nobody knows. */
function fits({ known, adding, recordsMax, bytesMax }: Capped, bytes: number): boolean {
  if (known === undefined) return false;
  return known.pending + adding.records + 1 <= recordsMax && known.bytes + adding.bytes + bytes <= bytesMax;
}

/** What may wait so that one more has its place. */
function limitOf({ adding, recordsMax, bytesMax }: Capped, bytes: number): Omit<Backlog, "targetId"> {
  return {
    pending: Math.max(0, recordsMax - adding.records - 1),
    bytes: Math.max(0, bytesMax - adding.bytes - bytes),
  };
}

function slackFor({ recordsMax, bytesMax }: Capped, bytes: number): Omit<Backlog, "targetId"> {
  return { pending: slackOf(recordsMax, 1), bytes: slackOf(bytesMax, bytes) };
}

function noPlace(targetIds: readonly string[]): AgentError {
  const message = `append: the share of ${targetIds.join(", ")} is full of records that matter more`;
  return new AgentError("SPOOL_FULL", message, { disposition: "retry" });
}
