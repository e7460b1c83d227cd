import { writeSync } from "node:fs";
import { SystemClock } from "../../src/core/clock.ts";
import { draftOf, imageOf } from "./drafts.ts";
import { diskSpoolOf } from "./disk-spool.ts";
import { seededRandom } from "./seams.ts";

/**
 * Works on a spool until it is killed, and says on stdout what it is about to do and what the spool has answered. A line
 * is written in one call before the next step, so the reader misses at most what had not been answered.
 *
 * Arguments: folder, seed, number of the first image.
 */

export const targets = ["a", "b"] as const;

/** The image that belongs to a number: the reader compares byte for byte. */
export function imageNumber(number: number): Buffer {
  return imageOf(2_000 + ((number * 7_919) % 30_000), number);
}

function say(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(" ")}\n`);
}

async function main(folder: string, seed: number, first: number): Promise<void> {
  const random = seededRandom(seed);
  const { spool } = diskSpoolOf(folder, { clock: new SystemClock(), random });
  await spool.start(new AbortController().signal);
  say("ready");
  for (let number = first; ;) {
    const batch = Array.from({ length: 1 + Math.floor(random() * 6) }, () => number++);
    await Promise.all(
      batch.map(async (each) => {
        const record = await spool.append(draftOf({ cameraId: `n${each}` }), imageNumber(each), targets);
        say("appended", record.id, each, record.sequence);
      }),
    );
    for (const target of targets) {
      for (const { record } of await spool.lease(target, { recordsMax: 8, bytesMax: Infinity })) {
        const dice = random();
        if (dice < 0.1) {
          await spool.settle(target, record.id, { kind: "release" });
        } else if (dice < 0.2) {
          await spool.settle(target, record.id, { kind: "retry", afterMs: 20, charged: true, code: "X", message: "y" });
        } else {
          say("settling", target, record.id);
          await spool.settle(target, record.id, { kind: "accepted" });
          say("settled", target, record.id);
        }
      }
    }
  }
}

const [folder, seed, first] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename && folder !== undefined) {
  await main(folder, Number(seed), Number(first));
}
