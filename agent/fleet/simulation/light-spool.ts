import type { Clock } from "../../../src/core/clock.ts";
import type { Delivery, LeaseLimit, Settlement } from "../../../src/core/ports.ts";
import type { StoredRecord } from "../../../src/core/types.ts";
import type { DeliverySpool } from "../../../src/deliver/loop.ts";

/** Ten minutes of one record a second. */
const recordsMax = 600;

interface Held {
  readonly record: StoredRecord;
  attempts: number;
  dueAtMs: number;
  isLeased: boolean;
}

/** What a spool is to a delivery loop, in memory and for one target: thousands of them fit into a process. */
export class LightSpool implements DeliverySpool {
  readonly #jpeg: Buffer;
  readonly #clock: Clock;
  /** Oldest first: a Map keeps the order of insertion. */
  readonly #held = new Map<string, Held>();
  #wake: () => void = () => {};
  #accepted = 0;
  #givenUp = 0;

  /** All records have the same picture. */
  constructor(jpeg: Buffer, clock: Clock) {
    this.#jpeg = jpeg;
    this.#clock = clock;
  }

  get pending(): number {
    return this.#held.size;
  }

  get accepted(): number {
    return this.#accepted;
  }

  /** For want of room, or refused. */
  get givenUp(): number {
    return this.#givenUp;
  }

  append(record: StoredRecord): void {
    if (this.#held.size >= recordsMax) {
      const oldest = [...this.#held.values()].find(({ isLeased }) => !isLeased);
      if (oldest !== undefined) this.#giveUp(oldest.record.id);
    }
    this.#held.set(record.id, { record, attempts: 0, dueAtMs: -Infinity, isLeased: false });
    this.#wake();
  }

  async lease(_targetId: string, limit: LeaseLimit): Promise<readonly Delivery[]> {
    const due = [...this.#held.values()].filter((held) => this.#isDue(held)).slice(0, limit.recordsMax);
    for (const held of due) held.isLeased = true;
    return due.map(({ record, attempts }) => ({ record, attempts, image: async () => this.#jpeg }));
  }

  async settle(_targetId: string, recordId: string, settlement: Settlement): Promise<void> {
    const held = this.#held.get(recordId);
    if (held === undefined) return;
    held.isLeased = false;
    if (settlement.kind === "accepted") {
      this.#held.delete(recordId);
      this.#accepted += 1;
    } else if (settlement.kind === "rejected") this.#giveUp(recordId);
    else if (settlement.kind === "retry") {
      held.attempts += settlement.charged ? 1 : 0;
      held.dueAtMs = this.#clock.monotonicMs() + settlement.afterMs;
    }
    this.#wake();
  }

  async waitForDue(_targetId: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const waiting = [...this.#held.values()].filter(({ isLeased }) => !isLeased);
      if (waiting.some((held) => this.#isDue(held))) return;
      const nextMs = Math.min(...waiting.map(({ dueAtMs }) => dueAtMs)) - this.#clock.monotonicMs();
      await this.#changeWithin(nextMs, signal);
    }
  }

  async #changeWithin(ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const changed = new Promise<void>((resolve) => (this.#wake = resolve));
    const either = AbortSignal.any([signal, over.signal]);
    const aborted = new Promise<void>((resolve) => {
      either.addEventListener("abort", () => resolve(), { once: true });
    });
    const later = ms === Infinity ? aborted : this.#clock.sleep(Math.max(0, ms), either).catch(() => undefined);
    await Promise.race([changed, later, aborted]);
    over.abort();
  }

  #isDue({ isLeased, dueAtMs }: Held): boolean {
    return !isLeased && dueAtMs <= this.#clock.monotonicMs();
  }

  #giveUp(recordId: string): void {
    this.#held.delete(recordId);
    this.#givenUp += 1;
  }
}
