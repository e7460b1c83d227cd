import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "mocha";
import { openSpool } from "../lib/disk-spool.ts";
import { seededRandom } from "../lib/seams.ts";
import { imageNumber, targets } from "../lib/spool-writer.ts";
import { tempFolder } from "../lib/temp.ts";

const rounds = Number(process.env["FRAMEPOST_KILL_ROUNDS"] ?? 20);
const writer = new URL("../lib/spool-writer.js", import.meta.url).pathname;

/** What the spool has answered so far, over all rounds. */
class Oracle {
  /** Record id to image number. */
  readonly appended = new Map<string, number>();
  readonly settling = new Set<string>();
  readonly settled = new Set<string>();
  readonly sequences = new Map<number, string>();
  nextNumber = 0;

  hear(line: string): void {
    const [what, ...words] = line.split(" ");
    if (what === "appended") {
      const [id = "", number, sequence] = words;
      this.appended.set(id, Number(number));
      assert.equal(this.sequences.get(Number(sequence)), undefined, "a sequence is never used twice");
      this.sequences.set(Number(sequence), id);
      this.nextNumber = Math.max(this.nextNumber, Number(number) + 1);
    } else if (what === "settling") this.settling.add(words.join(" "));
    else if (what === "settled") this.settled.add(words.join(" "));
  }
}

/** Lets a writer work for a moment and kills it. */
async function workAndKill(folder: string, seed: number, oracle: Oracle, forMs: number): Promise<void> {
  // Numbers of images whose append was not answered are used again: with the same content, so that is no matter.
  const child = spawn(process.execPath, [writer, folder, String(seed), String(oracle.nextNumber)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the writer ended by itself with ${String(code)}`)));
    lines.on("line", (line) => (line === "ready" ? resolve() : oracle.hear(line)));
  });
  child.removeAllListeners("exit");
  await delay(forMs);
  child.kill("SIGKILL");
  await closed;
  lines.close();
}

async function check(folder: string, oracle: Oracle): Promise<number> {
  await using opened = await openSpool(folder);
  const { spool } = opened;
  const stats = await spool.stats();
  assert.equal(stats.missing, 0, "no row without its envelope");
  const owed = new Set<string>();
  for (let afterSequence = 0; ;) {
    const page = await spool.list({ afterSequence, recordsMax: 500 });
    for (const { record, deliveries } of page) {
      afterSequence = record.sequence;
      for (const { targetId } of deliveries) owed.add(`${targetId} ${record.id}`);
    }
    if (page.length === 0) break;
  }
  for (const id of oracle.appended.keys()) {
    for (const target of targets) {
      const key = `${target} ${id}`;
      if (oracle.settled.has(key)) assert.ok(!owed.has(key), `settled, but owed again: ${key}`);
      else if (!oracle.settling.has(key)) assert.ok(owed.has(key), `lost: ${key}`);
    }
  }
  for (const target of targets) {
    const leased = await spool.lease(target, { recordsMax: 1_000, bytesMax: Infinity });
    for (const delivery of leased) {
      const { record } = delivery;
      assert.deepEqual(
        await delivery.image(),
        imageNumber(Number(record.cameraId.slice(1))),
        `corrupt: ${record.name}`,
      );
    }
  }
  return owed.size;
}

describe("spool under kill -9", () => {
  it(`loses, doubles and corrupts nothing in ${rounds} rounds, state carried over`, async function () {
    this.timeout(rounds * 3_000);
    await using folder = await tempFolder();
    const oracle = new Oracle();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    let checked = 0;
    for (let round = 0; round < rounds; round += 1) {
      await workAndKill(folder.path, seed + round, oracle, 10 + random() * 150);
      try {
        checked += await check(folder.path, oracle);
      } catch (error) {
        throw new Error(`round ${round} of seed ${seed}`, { cause: error });
      }
    }
    assert.ok(oracle.appended.size > rounds && oracle.settled.size > rounds, "the writer did its work");
    assert.ok(checked > rounds, "something was left to check");
    const bad = await readdir(join(folder.path, "bad")).catch(() => []);
    assert.ok(bad.length <= rounds * 4, "only envelopes under way can be cut");
  });
});
