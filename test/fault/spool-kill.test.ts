import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { killRounds } from "../lib/spool-crash.ts";
import type { SpoolOracle } from "../lib/spool-oracle.ts";
import { tempFolder } from "../lib/temp.ts";

const rounds = Number(process.env["FRAMEPOST_KILL_ROUNDS"] ?? 6);
/** The bound is reached in the first of them, also on a slow machine. */
const evictingRounds = Math.max(6, Math.ceil(rounds / 4));

describe("spool under kill -9", () => {
  it(`loses, doubles and corrupts nothing in ${rounds} rounds, state carried over`, async function () {
    this.timeout(rounds * 9_000);
    await using folder = await tempFolder();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const oracle = await killRounds(folder.path, { rounds, seed, workMsMax: 160, isEnough: hasWorked });
    assert.deepEqual(oracle.faults, { lost: 0, corrupt: 0, forgotten: 0, doubled: 0 }, text(seed, oracle.examples));
    assert.ok(hasWorked(oracle), "the writers did their work, and something was left to check");
  });

  it(`counts all that is missing where it evicts, in ${evictingRounds} rounds`, async function () {
    this.timeout(evictingRounds * 9_000);
    await using folder = await tempFolder();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const evicting = { rounds: evictingRounds, recordsMax: 16, isEnough: hasEvicted };
    const oracle = await killRounds(folder.path, { seed, workMsMax: 160, ...evicting });
    assert.deepEqual(oracle.faults, { lost: 0, corrupt: 0, forgotten: 0, doubled: 0 }, text(seed, oracle.examples));
    assert.ok(hasEvicted(oracle), "something was evicted");
  });
});

function hasWorked({ appended, settled, imagesChecked }: SpoolOracle): boolean {
  return appended > rounds && settled > rounds && imagesChecked > rounds;
}

function hasEvicted({ evicted }: SpoolOracle): boolean {
  return evicted.missing > 0;
}

function text(seed: number, examples: readonly string[]): string {
  return [`seed ${seed}`, ...examples].join("\n");
}
