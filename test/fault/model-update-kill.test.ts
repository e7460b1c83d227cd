import { describe, it } from "mocha";
import { killUpdates } from "../lib/update-kills.ts";

const kills = Number(process.env["FRAMEPOST_UPDATE_KILLS"] ?? 3);

describe("an agent that is killed while it updates its model", () => {
  it("has the old model or the new one, whole, leaves nothing behind, and updates still", async function () {
    this.timeout(40_000 + kills * 5_000);
    const seed = Number(process.env["FRAMEPOST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    await killUpdates({ kills, seed });
  });
});
