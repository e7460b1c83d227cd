import { AgentError, messageOf } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { Delivery, LeaseLimit, Settlement } from "../core/ports.ts";
import type { DueSignals } from "./due.ts";
import type { IndexClient } from "./index/client.ts";
import type { ReadyDelivery } from "./index/ready.ts";
import type { Leases } from "./leases.ts";
import type { NewestShares } from "./newest-share.ts";
import type { RecordReader } from "./reader.ts";
import type { SpoolTime } from "./spool-time.ts";

export interface DeliveriesParts {
  readonly index: IndexClient;
  readonly leases: Leases;
  readonly due: DueSignals;
  readonly time: SpoolTime;
  readonly reader: RecordReader;
  readonly newestShares: NewestShares;
  /** Wall clock, for the sent log. */
  readonly nowMs: () => number;
  /** One more outcome was written. */
  readonly settled: () => void;
}

type Retry = Extract<Settlement, { kind: "retry" }>;

/** What is owed, as the delivery loops see it: lease and settle. */
export class Deliveries {
  readonly #parts: DeliveriesParts;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  async lease(targetId: string, limit: LeaseLimit): Promise<readonly Delivery[]> {
    return await this.#parts.leases.inTurn(targetId, async () => {
      for (;;) {
        const chosen = await this.#choose(targetId, limit);
        const leased = await this.#open(targetId, chosen);
        // All chosen ones unreadable: they are set aside or deferred now, so the next ones have their turn.
        if (leased.length > 0 || chosen.length === 0) return leased;
      }
    });
  }

  async settle(targetId: string, recordId: string, settlement: Settlement): Promise<void> {
    const { index, leases, due, settled } = this.#parts;
    const lease = leases.leaseOf(targetId, recordId);
    switch (settlement.kind) {
      case "accepted": {
        const { remoteId } = settlement;
        const sent = { ...lease, id: recordId, targetId, atMs: this.#parts.nowMs() };
        await index.call("accept", remoteId === undefined ? sent : { ...sent, remoteId });
        settled();
        break;
      }
      case "rejected":
        await index.call("quarantine", lease.sequence, targetId, errorOf(settlement), this.#parts.time.ranMs());
        settled();
        break;
      case "retry":
        await this.#defer(targetId, recordId, lease.sequence, settlement);
        settled();
        break;
      case "release":
        break;
    }
    leases.remove(targetId, recordId);
    if (settlement.kind === "release" || (settlement.kind === "retry" && settlement.afterMs <= 0)) due.wake(targetId);
  }

  /** Leases ready deliveries that nobody works on, up to the limit but at least one. */
  async #choose(targetId: string, limit: LeaseLimit): Promise<readonly ReadyDelivery[]> {
    const { index, leases, due, time, newestShares } = this.#parts;
    return await leases.choosing(async () => {
      due.leasing(targetId);
      const deliveriesMax = Math.max(1, Math.min(limit.recordsMax, spoolLimits.listRecordsMax));
      const newest = newestShares.newestOf(targetId, deliveriesMax);
      const leased = [...leases.sequences(targetId)];
      const ready = await index
        .call("ready", { targetId, nowMs: time.delayNowMs(), deliveriesMax, newest, leased })
        .catch((error: unknown) => {
          // Nobody knows whether something is due; whoever asks again paces itself.
          due.wake(targetId);
          throw error;
        });
      if (ready.nextAtMs !== undefined) due.wakeAt(targetId, time.monotonicOf(ready.nextAtMs));
      const chosen = upTo(ready.deliveries, { ...limit, recordsMax: deliveriesMax });
      for (const { id, sequence } of chosen) leases.add(targetId, id, sequence);
      newestShares.chose(targetId, chosen.length, Math.min(ready.newest, chosen.length));
      if (ready.more || chosen.length < ready.deliveries.length) due.wake(targetId);
      return chosen;
    });
  }

  /** Reads the records of leased deliveries: all of them, or on a failure none is leased. */
  async #open(targetId: string, chosen: readonly ReadyDelivery[]): Promise<readonly Delivery[]> {
    const { leases, due } = this.#parts;
    try {
      const opened: Delivery[] = [];
      for (const ready of chosen) {
        const delivery = await this.#openOne(targetId, ready);
        if (delivery === undefined) leases.remove(targetId, ready.id);
        else opened.push(delivery);
      }
      return opened;
    } catch (error) {
      for (const { id } of chosen) leases.remove(targetId, id);
      due.wake(targetId);
      throw error;
    }
  }

  /** Undefined for one that is lost, and for one that is put off because the disk cannot read it just now. */
  async #openOne(targetId: string, { id, sequence, attempts, cursor }: ReadyDelivery): Promise<Delivery | undefined> {
    const { reader, leases } = this.#parts;
    const reading = await reader.record(sequence);
    switch (reading.kind) {
      case "record": {
        const { record } = reading;
        leases.named(targetId, id, record.name);
        const image = async (): Promise<Buffer> => await reader.image(record);
        return { record, attempts, ...(cursor === undefined ? {} : { cursor }), image };
      }
      case "unreadable": {
        const { code, message } = reading.error;
        const afterMs = spoolLimits.unreadableDelayMs;
        await this.#defer(targetId, id, sequence, { kind: "retry", afterMs, charged: false, code, message });
        return undefined;
      }
      case "lost":
        return undefined;
    }
  }

  async #defer(targetId: string, recordId: string, sequence: number, settlement: Retry): Promise<void> {
    const { index, due, time } = this.#parts;
    const { afterMs, charged, cursor } = settlement;
    if (cursor !== undefined && Buffer.byteLength(cursor) > spoolLimits.cursorBytesMax) {
      throw new AgentError("SPOOL_CURSOR_TOO_LONG", `settle ${recordId} for ${targetId}: its cursor is too long`, {
        disposition: "reject",
        facts: { bytesMax: spoolLimits.cursorBytesMax },
      });
    }
    const dueAtMs = time.delayNowMs() + Math.max(0, afterMs);
    const kept = cursor === undefined ? {} : { cursor };
    await index.call("defer", sequence, targetId, { dueAtMs, charged, error: errorOf(settlement), ...kept });
    due.wakeAt(targetId, time.monotonicOf(dueAtMs));
  }
}

function upTo(deliveries: readonly ReadyDelivery[], { recordsMax, bytesMax }: LeaseLimit): readonly ReadyDelivery[] {
  const chosen: ReadyDelivery[] = [];
  let bytes = 0;
  for (const delivery of deliveries) {
    bytes += delivery.imageBytes;
    const full = chosen.length >= recordsMax || bytes > bytesMax;
    if (full && chosen.length > 0) break;
    chosen.push(delivery);
  }
  return chosen;
}

function errorOf({ code, message }: { readonly code: string; readonly message: string }): string {
  return messageOf(`${code}: ${message}`, spoolLimits.errorCharsMax);
}
