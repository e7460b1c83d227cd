import assert from "node:assert/strict";
import type { LeaseLimit, Loss, LossReason, Settlement, SpoolListing, TargetBacklog } from "../../src/core/ports.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type { DeliverySelection } from "../../src/core/queue.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { NewestShares } from "../../src/spool/newest-share.ts";
import type { SpoolTarget } from "../../src/spool/spool.ts";

interface Owed {
  state: "pending" | "quarantined";
  attempts: number;
  /** Monotonic; all delays end with a restart. */
  dueAtMs: number;
  leased: boolean;
  cursor?: string;
  error?: string;
}

interface Kept {
  readonly record: StoredRecord;
  /** Of the envelope. */
  readonly bytes: number;
  /** That of its rule, until an operator puts it first. */
  priority: number;
  readonly owed: Map<string, Owed>;
  /** Targets that accepted it. */
  readonly had: Set<string>;
}

interface Known {
  firstSequence: number;
  filledTo: number;
  /** Monotonic, of the process that runs now. */
  absentSinceMs?: number;
}

interface State {
  readonly kept: Map<number, Kept>;
  readonly known: Map<string, Known>;
  readonly accepted: Map<string, number>;
  readonly lost: Map<string, Loss>;
  lastSequence: number;
}

/** What a spool shows of itself, in one value that can be compared. */
export interface SpoolView {
  readonly records: number;
  readonly bytes: number;
  readonly lastSequence: number;
  readonly targets: readonly TargetBacklog[];
  readonly lost: readonly Loss[];
  readonly listings: readonly SpoolListing[];
}

/** The spool as it ought to be, in memory and without a bound: the plainest thing that does what the port promises. */
export class SpoolModel {
  #state: State = { kept: new Map(), known: new Map(), accepted: new Map(), lost: new Map(), lastSequence: 0 };
  #targets: readonly SpoolTarget[] = [];
  #shares = new NewestShares(new Map());

  copy(): SpoolModel {
    const copied = new SpoolModel();
    copied.#state = structuredClone(this.#state);
    copied.#targets = this.#targets;
    copied.#shares = this.#shares;
    return copied;
  }

  /** Of the process before: `endedMs` is its monotonic time at its end; the next one begins at 0. */
  open(targets: readonly SpoolTarget[], endedMs: number): void {
    const { kept, known, lastSequence } = this.#state;
    this.#targets = targets;
    this.#shares = new NewestShares(new Map(targets.map(({ id, newestShare }) => [id, newestShare])));
    for (const { owed } of kept.values()) {
      for (const delivery of owed.values()) Object.assign(delivery, { dueAtMs: -Infinity, leased: false });
    }
    for (const target of known.values()) {
      if (target.absentSinceMs !== undefined) target.absentSinceMs -= endedMs;
    }
    const ids = new Set(targets.map(({ id }) => id));
    for (const id of ids) {
      if (!known.has(id)) known.set(id, { firstSequence: lastSequence, filledTo: 0 });
      delete known.get(id)?.absentSinceMs;
    }
    for (const [id, target] of known) if (!ids.has(id)) target.absentSinceMs ??= 0;
  }

  /** A crash may take back some of the time that the spool ran, and so make an absence shorter. */
  absentFor(targetId: string, ms: number, nowMs: number): void {
    const target = this.#state.known.get(targetId);
    if (target?.absentSinceMs === undefined || ms > nowMs - target.absentSinceMs) return;
    target.absentSinceMs = nowMs - ms;
  }

  append(record: StoredRecord, bytes: number, owedTo: readonly string[]): void {
    const { kept } = this.#state;
    const { priority } = record.reason;
    kept.set(record.sequence, { record, bytes, priority, owed: new Map(), had: new Set() });
    for (const targetId of owedTo) this.#owe(record.sequence, targetId);
    this.#state.lastSequence = Math.max(this.#state.lastSequence, record.sequence);
  }

  /**
   * Records that the spool gave up to make room for one of `priorityMax`: the rule says which, the spool how many. What
   * quarantine alone holds goes first, then the lowest priority, each oldest first; never what is leased, nor above the new one.
   */
  evict(victims: readonly number[], priorityMax: number): void {
    const { kept } = this.#state;
    const may = this.#evictable(priorityMax);
    assert.deepEqual(victims, may.slice(0, victims.length).map(sequenceOf).sort(bySize), "what is evicted");
    for (const sequence of victims) {
      const victim = kept.get(sequence);
      if (victim !== undefined) for (const targetId of [...victim.owed.keys()]) this.#lose(victim, targetId, "room");
    }
  }

  /** Whether anything could be evicted for a record of this priority. */
  mayEvict(priorityMax: number): boolean {
    return this.#evictable(priorityMax).length > 0;
  }

  sequences(): readonly number[] {
    return [...this.#state.kept.keys()].sort(bySize);
  }

  /** The sequences that have to be leased, in this order. */
  lease(targetId: string, limit: LeaseLimit, nowMs: number): readonly number[] {
    const ready = this.#ready(targetId, nowMs);
    const newest = this.#shares.newestOf(targetId, limit.recordsMax);
    const highest = ready.filter((each) => priorityOf(each) === (ready[0] === undefined ? 0 : priorityOf(ready[0])));
    const late = ready.length > limit.recordsMax && newest > 0 ? highest.slice(-newest).reverse() : [];
    const inOrder = [...late, ...ready.filter((each) => !late.includes(each))].slice(0, limit.recordsMax);
    let bytes = 0;
    const fitting = inOrder.findIndex(({ record }, at) => (bytes += record.imageBytes) > limit.bytesMax && at > 0);
    const chosen = fitting === -1 ? inOrder : inOrder.slice(0, fitting);
    this.#shares.chose(targetId, chosen.length, Math.min(late.length, chosen.length));
    for (const { owed } of chosen) Object.assign(owed.get(targetId) ?? {}, { leased: true });
    return chosen.map(({ record }) => record.sequence);
  }

  settle(targetId: string, sequence: number, settlement: Settlement, nowMs: number): void {
    const kept = this.#state.kept.get(sequence);
    const owed = kept?.owed.get(targetId);
    if (kept === undefined || owed === undefined) throw new Error(`the model owes ${targetId} no record ${sequence}`);
    owed.leased = false;
    if (settlement.kind === "accepted") {
      kept.had.add(targetId);
      this.#take(kept, targetId);
      this.#state.accepted.set(targetId, (this.#state.accepted.get(targetId) ?? 0) + 1);
    } else if (settlement.kind !== "release") {
      owed.error = `${settlement.code}: ${settlement.message}`;
      if (settlement.kind === "rejected") owed.state = "quarantined";
      else {
        owed.attempts += settlement.charged ? 1 : 0;
        owed.dueAtMs = nowMs + settlement.afterMs;
        if (settlement.cursor === "") delete owed.cursor;
        else if (settlement.cursor !== undefined) owed.cursor = settlement.cursor;
      }
    }
  }

  /** Pending deliveries are due now, and nothing else changes. */
  hasten(selection: DeliverySelection, nowMs: number): void {
    const waiting = this.#fitting(selection).filter(({ state, leased }) => state === "pending" && !leased);
    for (const owed of waiting) owed.dueAtMs = nowMs;
  }

  prioritize(selection: DeliverySelection): readonly [changed: number, busy: number] {
    for (const kept of this.#state.kept.values()) {
      const free = this.#fittingOf(kept, selection).filter(({ leased }) => !leased);
      if (free.length > 0) kept.priority = Math.max(kept.priority, spoolLimits.topPriority);
    }
    return counted(this.#fitting(selection));
  }

  /** Of what fits, what is not being sent. */
  drop(selection: DeliverySelection): readonly [changed: number, busy: number] {
    const figures = counted(this.#fitting(selection));
    for (const kept of [...this.#state.kept.values()]) {
      const free = new Set(this.#fittingOf(kept, selection).filter(({ leased }) => !leased));
      for (const [targetId, owed] of [...kept.owed]) if (free.has(owed)) this.#lose(kept, targetId, "dropped");
    }
    return figures;
  }

  /** One run of the upkeep: targets that were absent for too long lose what they are owed, new ones are backfilled. */
  upkeep(nowMs: number, graceMs: number): void {
    const { kept, known, accepted } = this.#state;
    for (const [targetId, { absentSinceMs }] of known) {
      if (absentSinceMs === undefined || nowMs - absentSinceMs < graceMs) continue;
      for (const each of kept.values()) if (each.owed.has(targetId)) this.#lose(each, targetId, "target-removed");
      known.delete(targetId);
      accepted.delete(targetId);
    }
    for (const { id, backfill, wants } of this.#targets) {
      const target = known.get(id);
      if (!backfill || target === undefined) continue;
      for (const { record, owed, had } of kept.values()) {
        if (record.sequence <= target.filledTo || record.sequence > target.firstSequence) continue;
        if (!owed.has(id) && !had.has(id) && wants(record)) this.#owe(record.sequence, id);
      }
      target.filledTo = target.firstSequence;
    }
  }

  records(): number {
    return this.#state.kept.size;
  }

  /** Of what is pending for this target. */
  owedBytes(targetId: string): number {
    return [...this.#state.kept.values()]
      .filter(({ owed }) => owed.get(targetId)?.state === "pending")
      .reduce((sum, { bytes }) => sum + bytes, 0);
  }

  isDue(targetId: string, nowMs: number): boolean {
    return this.#ready(targetId, nowMs).length > 0;
  }

  /** What a spool has to show. */
  view(nowMs: number): SpoolView {
    const { kept, accepted, lost, lastSequence } = this.#state;
    const all = [...kept.values()].sort((a, b) => a.record.sequence - b.record.sequence);
    return {
      records: all.length,
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      lastSequence,
      targets: [...accepted.keys()].sort().map((targetId) => this.#backlog(targetId, nowMs)),
      lost: [...lost.values()].sort(byTargetPriorityReason),
      listings: all.map(({ record, owed }) => ({
        record,
        deliveries: [...owed].sort(([a], [b]) => (a < b ? -1 : 1)).map(shown),
      })),
    };
  }

  #evictable(priorityMax: number): readonly Kept[] {
    const free = [...this.#state.kept.values()].filter(
      (each) => priorityOf(each) <= priorityMax && ![...each.owed.values()].some(({ leased }) => leased),
    );
    const aside = ({ owed }: Kept): boolean => [...owed.values()].every(({ state }) => state === "quarantined");
    return free.sort(
      (a, b) =>
        Number(aside(b)) - Number(aside(a)) ||
        (aside(a) ? 0 : priorityOf(a) - priorityOf(b)) ||
        a.record.sequence - b.record.sequence,
    );
  }

  #fitting(selection: DeliverySelection): readonly Owed[] {
    return [...this.#state.kept.values()].flatMap((kept) => this.#fittingOf(kept, selection));
  }

  #fittingOf({ record, owed }: Kept, selection: DeliverySelection): readonly Owed[] {
    const { sequence, upToSequence = Infinity, cameraId, targetId, state } = selection;
    if (record.sequence > upToSequence || record.sequence !== (sequence ?? record.sequence)) return [];
    if (record.cameraId !== (cameraId ?? record.cameraId)) return [];
    const fitting = [...owed].filter(([id, each]) => id === (targetId ?? id) && each.state === (state ?? each.state));
    return fitting.map(([, each]) => each);
  }

  #backlog(targetId: string, nowMs: number): TargetBacklog {
    const owed = [...this.#state.kept.values()].flatMap((each) => each.owed.get(targetId) ?? []);
    const since = this.#state.known.get(targetId)?.absentSinceMs;
    return {
      targetId,
      pending: owed.filter(({ state }) => state === "pending").length,
      leased: owed.filter(({ leased }) => leased).length,
      quarantined: owed.filter(({ state }) => state === "quarantined").length,
      accepted: this.#state.accepted.get(targetId) ?? 0,
      ...(since === undefined ? {} : { removedForMs: nowMs - since }),
    };
  }

  #ready(targetId: string, nowMs: number): readonly Kept[] {
    return [...this.#state.kept.values()]
      .filter(({ owed }) => {
        const delivery = owed.get(targetId);
        return delivery?.state === "pending" && !delivery.leased && delivery.dueAtMs <= nowMs;
      })
      .sort((a, b) => priorityOf(b) - priorityOf(a) || a.record.sequence - b.record.sequence);
  }

  #owe(sequence: number, targetId: string): void {
    const fresh: Owed = { state: "pending", attempts: 0, dueAtMs: -Infinity, leased: false };
    this.#state.kept.get(sequence)?.owed.set(targetId, fresh);
    this.#state.accepted.set(targetId, this.#state.accepted.get(targetId) ?? 0);
  }

  #lose(kept: Kept, targetId: string, reason: LossReason): void {
    const priority = priorityOf(kept);
    const key = `${targetId} ${priority} ${reason}`;
    const deliveries = (this.#state.lost.get(key)?.deliveries ?? 0) + 1;
    this.#state.lost.set(key, { targetId, priority, reason, deliveries });
    this.#take(kept, targetId);
  }

  #take({ record, owed }: Kept, targetId: string): void {
    owed.delete(targetId);
    if (owed.size === 0) this.#state.kept.delete(record.sequence);
  }
}

function byTargetPriorityReason(a: Loss, b: Loss): number {
  if (a.targetId !== b.targetId) return a.targetId < b.targetId ? -1 : 1;
  return a.priority - b.priority || (a.reason < b.reason ? -1 : 1);
}

function counted(fitting: readonly Owed[]): readonly [changed: number, busy: number] {
  const busy = fitting.filter(({ leased }) => leased).length;
  return [fitting.length - busy, busy];
}

function sequenceOf({ record }: Kept): number {
  return record.sequence;
}

function bySize(a: number, b: number): number {
  return a - b;
}

function priorityOf({ priority }: Kept): number {
  return priority;
}

function shown([targetId, { state, attempts, cursor, error }]: readonly [
  string,
  Owed,
]): SpoolListing["deliveries"][number] {
  return {
    targetId,
    state,
    attempts,
    ...(cursor === undefined ? {} : { cursor }),
    ...(error === undefined ? {} : { error }),
  };
}
