import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { restartRounds } from "../lib/camera-restarts.ts";
import { needsProgram } from "../lib/programs.ts";
import { execFfmpeg } from "../lib/restart-sources.ts";

/** The quick form of `npm run test:endurance -- cameras-restart`. */
describe("a camera whose source dies and freezes", () => {
  const limits = { watchdogMinMs: 300, backoffFirstMs: 20, backoffMaxMs: 50, stopGraceMs: 200 };

  it("comes back every time, and leaves nothing behind", async function () {
    needsProgram(this, "ffmpeg", "ffmpeg");
    this.timeout(20_000);
    const plan = { kills: 5, freezes: 2, limits, backWithinMs: 5_000 };
    // The first child of a process makes Node open what it keeps for all of them.
    await restartRounds(execFfmpeg(limits), { ...plan, kills: 0, freezes: 0 });
    const figures = await restartRounds(execFfmpeg(limits), plan);
    assert.deepEqual([figures.backAfterKill, figures.backAfterFreeze], [5, 2]);
    assert.deepEqual([figures.processesLeft, figures.descriptorsLeft], [0, 0]);
  });
});
