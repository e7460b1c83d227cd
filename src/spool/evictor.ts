import { spoolLimits } from "../core/spool-limits.ts";
import type { Collector } from "./collector.ts";
import type { FreeSpace } from "./free-space.ts";
import type { Evicted, EvictionPolicy } from "./index/bounds.ts";
import type { IndexClient } from "./index/client.ts";
import type { Amount } from "./index/store.ts";
import type { Leases } from "./leases.ts";
import type { LossLog } from "./loss-log.ts";
import type { Room } from "./room.ts";

export interface EvictorParts {
  readonly index: IndexClient;
  readonly leases: Leases;
  readonly freeSpace: FreeSpace;
  readonly room: Room;
  readonly collector: Collector;
  readonly losses: LossLog;
  readonly policy: EvictionPolicy | "none";
}

/** When records have to go, and how many: before a record is written, and after the disk would not take one. */
export class Evictor {
  readonly #parts: EvictorParts;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: EvictorParts) {
    this.#parts = parts;
  }

  /** Takes room for one record, if need be by evicting. Fails with `SPOOL_FULL` or `DISK_FULL`. */
  async reserve(bytes: number, priority: number): Promise<void> {
    const { freeSpace, room } = this.#parts;
    const freeBytes = await freeSpace.bytes();
    if (room.shortage(bytes, freeBytes) === undefined) this.#reserve(bytes, freeBytes);
    else await this.#inTurn(async () => await this.#makeRoom(bytes, priority));
  }

  /** Takes room that is there, but for what is finished; evicts nothing. Fails as `reserve` does. */
  async reserveWithout(bytes: number): Promise<void> {
    const { freeSpace, room, collector } = this.#parts;
    let freeBytes = await freeSpace.bytes();
    if (room.shortage(bytes, freeBytes) !== undefined) {
      await collector.now();
      freeBytes = await freeSpace.askedAgain();
    }
    this.#reserve(bytes, freeBytes);
  }

  /** The disk was fuller than it said. True when something could be removed, so that another try is worth it. */
  async afterDiskFull(priority: number): Promise<boolean> {
    const { room, collector, freeSpace } = this.#parts;
    return await this.#inTurn(async () => {
      const before = room.storedRecords();
      await collector.now();
      const evicted = await this.#evict({ records: spoolLimits.evictWhenFullRecordsMin, bytes: 0 }, priority);
      await freeSpace.askedAgain();
      return evicted > 0 || room.storedRecords() < before;
    });
  }

  /** Down to the bounds where they are broken without a new record. */
  async keepBounds(signal: AbortSignal): Promise<void> {
    const { room } = this.#parts;
    while (!signal.aborted) {
      const { records, bytes } = room.excess();
      if (records <= 0 && bytes <= 0) return;
      if ((await this.#inTurn(async () => await this.#evict({ records, bytes }, Infinity))) === 0) return;
    }
  }

  /** One step of an eviction: `choose` gets the leased records, while none is being leased. How many went. */
  async step(choose: (leased: readonly number[]) => Promise<Evicted & { readonly onDisk: Amount }>): Promise<number> {
    const { leases, room, losses } = this.#parts;
    const { records, lost, onDisk } = await leases.excluding(choose);
    room.stored(onDisk);
    losses.add(lost);
    return records;
  }

  /** Evicts until there is room, nothing is left that may go, or it has taken long enough. */
  async #makeRoom(bytes: number, priority: number): Promise<void> {
    const { freeSpace, room, collector } = this.#parts;
    await collector.now();
    for (let steps = 0, freeBefore = -1; ; steps += 1) {
      const freeBytes = await freeSpace.askedAgain();
      const shortage = room.shortage(bytes, freeBytes);
      // Where somebody else takes what becomes free, all would go for nothing.
      const inVain = shortage?.code === "DISK_FULL" && freeBytes <= freeBefore;
      freeBefore = freeBytes;
      const goesOn = shortage?.canBeMade === true && !inVain && steps < spoolLimits.evictStepsMax;
      if (goesOn && (await this.#evict(shortage.over, priority)) > 0) continue;
      this.#reserve(bytes, freeBytes);
      return;
    }
  }

  #reserve(bytes: number, freeBytes: number): void {
    const { freeSpace, room } = this.#parts;
    room.reserve(bytes, freeBytes);
    freeSpace.took(bytes);
  }

  async #evict(wanted: Amount, priorityMax: number): Promise<number> {
    const { index, policy } = this.#parts;
    if (policy === "none") return 0;
    return await this.step((leased) => index.call("evict", { ...wanted, policy, priorityMax, leased }));
  }

  /** One after the other, so that nobody evicts for a room that another has just made. */
  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => undefined);
    return await result;
  }
}
