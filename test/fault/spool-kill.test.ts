import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { killRounds } from "../lib/spool-crash.ts";
import { tempFolder } from "../lib/temp.ts";

const rounds = Number(process.env["FRAMEPOST_KILL_ROUNDS"] ?? 20);

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
});

function text(seed: number, examples: readonly string[]): string {
  return [`seed ${seed}`, ...examples].join("\n");
}
