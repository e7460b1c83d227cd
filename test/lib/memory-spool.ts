import { createHash } from "node:crypto";
import type { Clock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import type {
  Delivery,
  LeaseLimit,
  Random,
  Settlement,
  Spool,
  SpoolListing,
  SpoolStats,
  TargetBacklog,
} from "../../src/core/ports.ts";
import type { Cursor, RecordDraft, StoredRecord } from "../../src/core/types.ts";
import { Ulids } from "../../src/core/ulid.ts";
import { SimulatedClock, seededRandom } from "./seams.ts";

interface Owed {
  state: "pending" | "quarantined";
  leased: boolean;
  attempts: number;
  dueAtMs: number;
  cursor?: Cursor;
  error?: string;
}

interface Held {
  readonly record: StoredRecord;
  readonly jpeg: Buffer;
  readonly owed: Map<string, Owed>;
}

export interface MemorySpoolOptions {
  readonly device?: string;
  readonly spoolId?: string;
  readonly recordsMax?: number;
  readonly bytesMax?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The Spool port without a disk: for tests of whatever stands around a spool. It passes the port's contract suite. */
export class MemorySpool implements Spool {
  readonly #device: string;
  readonly #spoolId: string;
  readonly #recordsMax: number;
  readonly #bytesMax: number;
  readonly #clock: Clock;
  readonly #ulids: Ulids;
  /** Oldest first: a Map keeps the order of insertion. */
  readonly #held = new Map<string, Held>();
  readonly #accepted = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  readonly #changed = new Set<string>();
  #sequence = 0;

  constructor(options: MemorySpoolOptions = {}) {
    this.#device = options.device ?? "device";
    this.#spoolId = options.spoolId ?? "memory";
    this.#recordsMax = options.recordsMax ?? Infinity;
    this.#bytesMax = options.bytesMax ?? Infinity;
    this.#clock = options.clock ?? new SimulatedClock();
    this.#ulids = new Ulids(this.#clock, options.random ?? seededRandom(1));
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async append(draft: RecordDraft, jpeg: Buffer, owedTo: readonly string[]): Promise<StoredRecord> {
    if (owedTo.length === 0) {
      throw new AgentError("SPOOL_NOT_OWED", "append: no target is owed this record", { disposition: "reject" });
    }
    const { bytes } = await this.stats();
    if (this.#held.size >= this.#recordsMax || bytes + jpeg.length > this.#bytesMax) {
      throw new AgentError("SPOOL_FULL", "append: the spool is full", { disposition: "retry" });
    }
    this.#sequence += 1;
    const record: StoredRecord = {
      ...draft,
      id: this.#ulids.next(),
      name: `${this.#device}-${this.#spoolId}-${this.#sequence}.jpg`,
      device: this.#device,
      sequence: this.#sequence,
      imageBytes: jpeg.length,
      imageSha256: createHash("sha256").update(jpeg).digest("hex"),
    };
    const owed = new Map<string, Owed>();
    for (const targetId of owedTo) {
      owed.set(targetId, { state: "pending", leased: false, attempts: 0, dueAtMs: -Infinity });
    }
    this.#held.set(record.id, { record, jpeg: Buffer.from(jpeg), owed });
    for (const targetId of owed.keys()) this.#wake(targetId);
    return record;
  }

  async lease(targetId: string, limit: LeaseLimit): Promise<readonly Delivery[]> {
    this.#changed.delete(targetId);
    const nowMs = this.#clock.monotonicMs();
    const due = [...this.#held.values()]
      .filter(({ owed }) => isDue(owed.get(targetId), nowMs))
      .sort((a, b) => b.record.reason.priority - a.record.reason.priority || a.record.sequence - b.record.sequence);
    const leased: Delivery[] = [];
    let bytes = 0;
    for (const { record, jpeg, owed } of due) {
      const state = owed.get(targetId);
      const full = leased.length >= limit.recordsMax || bytes + record.imageBytes > limit.bytesMax;
      if (state === undefined || (leased.length > 0 && full)) break;
      state.leased = true;
      bytes += record.imageBytes;
      leased.push({
        record,
        attempts: state.attempts,
        ...(state.cursor === undefined ? {} : { cursor: state.cursor }),
        image: async () => Buffer.from(jpeg),
      });
    }
    return leased;
  }

  async settle(targetId: string, recordId: string, settlement: Settlement): Promise<void> {
    const held = this.#held.get(recordId);
    const state = held?.owed.get(targetId);
    if (held === undefined || state?.leased !== true) {
      throw new AgentError("SPOOL_NOT_LEASED", `settle ${recordId} for ${targetId}: not leased`, {
        disposition: "reject",
      });
    }
    if (settlement.kind === "retry" && Buffer.byteLength(settlement.cursor ?? "") > spoolLimits.cursorBytesMax) {
      throw new AgentError("SPOOL_CURSOR_TOO_LONG", `settle ${recordId} for ${targetId}: cursor too long`, {
        disposition: "reject",
      });
    }
    state.leased = false;
    switch (settlement.kind) {
      case "accepted":
        held.owed.delete(targetId);
        this.#accepted.set(targetId, (this.#accepted.get(targetId) ?? 0) + 1);
        if (held.owed.size === 0) this.#held.delete(recordId);
        return;
      case "rejected":
        state.state = "quarantined";
        state.error = `${settlement.code}: ${settlement.message}`;
        return;
      case "retry":
        if (settlement.charged) state.attempts += 1;
        if (settlement.cursor === "") delete state.cursor;
        else if (settlement.cursor !== undefined) state.cursor = settlement.cursor;
        state.error = `${settlement.code}: ${settlement.message}`;
        state.dueAtMs = this.#clock.monotonicMs() + settlement.afterMs;
        break;
      case "release":
        break;
    }
    this.#wake(targetId);
  }

  async waitForDue(targetId: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const nowMs = this.#clock.monotonicMs();
      const states = [...this.#held.values()].flatMap(({ owed }) => owed.get(targetId) ?? []);
      if (states.some((state) => isDue(state, nowMs))) return;
      const deferred = states.filter((state) => state.state === "pending" && !state.leased);
      const nextMs = Math.min(...deferred.map((state) => state.dueAtMs));
      this.#changed.delete(targetId);
      await this.#changeOrDelay(targetId, nextMs - nowMs, signal);
    }
  }

  async stats(): Promise<SpoolStats> {
    const all = [...this.#held.values()];
    const targetIds = new Set([...this.#accepted.keys(), ...all.flatMap(({ owed }) => [...owed.keys()])]);
    const backlog = (targetId: string): TargetBacklog => {
      const states = all.flatMap(({ owed }) => owed.get(targetId) ?? []);
      return {
        targetId,
        pending: states.filter((state) => state.state === "pending").length,
        leased: states.filter((state) => state.leased).length,
        quarantined: states.filter((state) => state.state === "quarantined").length,
        accepted: this.#accepted.get(targetId) ?? 0,
      };
    };
    return {
      records: all.length,
      bytes: all.reduce((sum, { jpeg }) => sum + jpeg.length, 0),
      lastSequence: this.#sequence,
      targets: [...targetIds].sort().map(backlog),
      lost: [],
    };
  }

  async list(page: { readonly afterSequence: number; readonly recordsMax: number }): Promise<readonly SpoolListing[]> {
    return [...this.#held.values()]
      .filter(({ record }) => record.sequence > page.afterSequence)
      .slice(0, page.recordsMax)
      .map(({ record, owed }) => ({
        record,
        deliveries: [...owed].sort(byTarget).map(([targetId, { state, attempts, cursor, error }]) => ({
          targetId,
          state,
          attempts,
          ...(cursor === undefined ? {} : { cursor }),
          ...(error === undefined ? {} : { error }),
        })),
      }));
  }

  async stop(): Promise<void> {
    for (const { owed } of this.#held.values()) for (const state of owed.values()) state.leased = false;
  }

  #wake(targetId: string): void {
    this.#changed.add(targetId);
    for (const check of [...this.#waiting]) check();
  }

  /** Waits for a wake of this target, for `ms`, or for the signal. */
  async #changeOrDelay(targetId: string, ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const change = new Promise<void>((resolve) => {
      const check = (): void => {
        if (!this.#changed.has(targetId) && !either.aborted) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      either.addEventListener("abort", check, { once: true });
    });
    const waits: Promise<void>[] = [change];
    if (ms < Infinity) waits.push(this.#clock.sleep(ms, either).catch(() => undefined));
    await Promise.race(waits);
    over.abort();
  }
}

function isDue(state: Owed | undefined, nowMs: number): boolean {
  return state?.state === "pending" && !state.leased && state.dueAtMs <= nowMs;
}

function byTarget(a: readonly [string, Owed], b: readonly [string, Owed]): number {
  return a[0] < b[0] ? -1 : 1;
}
