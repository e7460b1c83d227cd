import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { Delivery, Settlement, Spool } from "../../src/core/ports.ts";
import { openSpool } from "./disk-spool.ts";
import { draftOf } from "./drafts.ts";
import { seededRandom } from "./seams.ts";
import { imageNumber, monotonicMs, pending, targets } from "./spool-oracle.ts";

/**
 * Works on a spool until it is killed, and says on stdout what it is about to do and what the spool has answered. A line
 * is written in one call before the next step, so the reader misses at most what had not been answered.
 *
 * Arguments: folder, seed, number of the first image, pause after each settlement in milliseconds, and how many records
 * the spool holds before it evicts; 0 for any number.
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

/** Not at all where everything that is there matters more. */
async function appendOne(spool: Spool, number: number, priority: number): Promise<void> {
  const draft = draftOf({ cameraId: `n${number}`, reason: { rule: "keep", priority } });
  try {
    const record = await spool.append(draft, imageNumber(number), targets);
    say("appended", record.id, number, record.sequence);
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "SPOOL_FULL") throw error;
  }
}

async function main(folder: string, seed: number, first: number, pauseMs: number, recordsMax: number): Promise<void> {
  const random = seededRandom(seed);
  const bounds = recordsMax > 0 ? ({ eviction: "oldest", recordsMax } as const) : {};
  say("starting");
  const { spool } = await openSpool(folder, { clock: new SystemClock(), random, ...bounds });
  say("ready");
  for (let number = first; ;) {
    const batch = Array.from({ length: 1 + Math.floor(random() * 6) }, () => number++);
    const priority = Math.floor(random() * 3);
    await Promise.all(batch.map(async (each) => await appendOne(spool, each, priority)));
    for (const targetId of targets) await settleSome(spool, targetId, random, pauseMs);
  }
}

const [folder = "", ...numbers] = process.argv.slice(2);
const [seed = 0, first = 0, pauseMs = 0, recordsMax = 0] = numbers.map(Number);
await main(folder, seed, first, pauseMs, recordsMax);
