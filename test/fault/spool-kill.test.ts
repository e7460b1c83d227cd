import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { killRounds } from "../lib/spool-crash.ts";
import { tempFolder } from "../lib/temp.ts";

const rounds = Number(process.env["FRAMEPOST_KILL_ROUNDS"] ?? 12);
/** The bound is reached in the first of them, also on a slow machine. */
const evictingRounds = Math.max(6, Math.ceil(rounds / 4));

describe("spool under kill -9", () => {
  it(`loses, doubles and corrupts nothing in ${rounds} rounds, state carried over`, async function () {
    this.timeout(rounds * 3_000);
    await using folder = await tempFolder();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const oracle = await killRounds(folder.path, { rounds, seed, workMsMax: 160 });
    assert.deepEqual(oracle.faults, { lost: 0, corrupt: 0, forgotten: 0, doubled: 0 }, text(seed, oracle.examples));
    assert.ok(oracle.appended > rounds && oracle.settled > rounds, "the writers did their work");
    assert.ok(oracle.imagesChecked > rounds, "something was left to check");
  });

  it(`counts all that is missing where it evicts, in ${evictingRounds} rounds`, async function () {
    this.timeout(evictingRounds * 3_000);
    await using folder = await tempFolder();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const oracle = await killRounds(folder.path, { rounds: evictingRounds, seed, workMsMax: 160, recordsMax: 16 });
    assert.deepEqual(oracle.faults, { lost: 0, corrupt: 0, forgotten: 0, doubled: 0 }, text(seed, oracle.examples));
    assert.ok(oracle.evicted.missing > 0, "something was evicted");
  });
});

function text(seed: number, examples: readonly string[]): string {
  return [`seed ${seed}`, ...examples].join("\n");
}
