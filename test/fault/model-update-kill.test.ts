import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { killUpdates } from "../lib/update-kills.ts";

const kills = Number(process.env["FRAMEPOST_UPDATE_KILLS"] ?? 3);

describe("an agent that is killed while it updates its model", () => {
  it("has the old model or the new one, whole, and leaves nothing behind", async function () {
    this.timeout(60_000 + kills * 5_000);
    const seed = Number(process.env["FRAMEPOST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const { versions } = await killUpdates({ kills, seed });
    assert.ok(versions >= 1, `seed ${seed}`);
  });
});
