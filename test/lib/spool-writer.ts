import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { SystemClock } from "../../src/core/clock.ts";
import type { Delivery, Settlement, Spool } from "../../src/core/ports.ts";
import { openSpool } from "./disk-spool.ts";
import { draftOf } from "./drafts.ts";
import { seededRandom } from "./seams.ts";
import { imageNumber, monotonicMs, pending, targets } from "./spool-oracle.ts";

/**
 * Works on a spool until it is killed, and says on stdout what it is about to do and what the spool has answered. A line
 * is written in one call before the next step, so the reader misses at most what had not been answered.
 *
 * Arguments: folder, seed, number of the first image, pause after each settlement in milliseconds.
 */

/** Above this the writer settles more than it appends, so that old and new records are there at each crash. */
const backlogRecords = 120;
/** For one target. They stay, so they are bounded here. */
const quarantinedMax = 40;

interface Planned {
  readonly settlement: Settlement;
  /** What the delivery shows once it is settled; absent where nothing changes. */
  readonly state?: string;
}

function say(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(" ")}\n`);
}

function plan(random: () => number, { attempts, cursor }: Delivery, mayReject: boolean): Planned {
  const dice = random();
  if (dice < 0.1) return { settlement: { kind: "release" } };
  if (dice < 0.15 && mayReject) {
    return { settlement: { kind: "rejected", code: "REFUSED", message: "by the writer" }, state: "quarantined" };
  }
  if (dice > 0.35) return { settlement: { kind: "accepted" }, state: "accepted" };
  const charged = random() < 0.5;
  const way = random();
  // Keeps the cursor there is, clears it, or sets another.
  const next = way < 0.3 ? undefined : way < 0.5 ? "" : `c${Math.floor(random() * 1e9)}`;
  const shown = next === undefined ? cursor : next === "" ? undefined : next;
  const afterMs = Math.floor(random() * 40);
  const retry = { kind: "retry", afterMs, charged, code: "LATER", message: "says the writer" } as const;
  return {
    settlement: next === undefined ? retry : { ...retry, cursor: next },
    state: pending(attempts + (charged ? 1 : 0), shown),
  };
}

async function settleSome(spool: Spool, targetId: string, random: () => number, pauseMs: number): Promise<void> {
  const backlog = (await spool.stats()).targets.find((target) => target.targetId === targetId);
  const mayReject = (backlog?.quarantined ?? 0) < quarantinedMax;
  const recordsMax = (backlog?.pending ?? 0) > backlogRecords ? 12 : 3;
  for (const delivery of await spool.lease(targetId, { recordsMax, bytesMax: Infinity })) {
    const { id } = delivery.record;
    const { settlement, state } = plan(random, delivery, mayReject);
    say("leased", targetId, id, pending(delivery.attempts, delivery.cursor));
    if (state !== undefined) say("settling", targetId, id, state);
    await spool.settle(targetId, id, settlement);
    if (state !== undefined) say("settled", targetId, id, monotonicMs());
    if (pauseMs > 0) await delay(pauseMs);
  }
}

async function main(folder: string, seed: number, first: number, pauseMs: number): Promise<void> {
  const random = seededRandom(seed);
  say("starting");
  const { spool } = await openSpool(folder, { clock: new SystemClock(), random });
  say("ready");
  for (let number = first; ;) {
    const batch = Array.from({ length: 1 + Math.floor(random() * 6) }, () => number++);
    const priority = Math.floor(random() * 3);
    await Promise.all(
      batch.map(async (each) => {
        const draft = draftOf({ cameraId: `n${each}`, reason: { rule: "keep", priority } });
        const record = await spool.append(draft, imageNumber(each), targets);
        say("appended", record.id, each, record.sequence);
      }),
    );
    for (const targetId of targets) await settleSome(spool, targetId, random, pauseMs);
  }
}

const [folder = "", seed, first, pauseMs] = process.argv.slice(2);
await main(folder, Number(seed), Number(first), Number(pauseMs));
