import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { Collector } from "../../src/spool/collector.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

describe("collector", () => {
  it("tries a failing disk again only every few seconds, says so once a minute, and recovers", async () => {
    const clock = new VirtualClock();
    const log = new RecordingLogger();
    let tries = 0;
    let broken = true;
    const collector = new Collector(clock, log, async () => {
      tries += 1;
      if (broken) throw new AgentError("DISK_FAILED", "remove 1.jpg: EIO", { disposition: "retry" });
    });
    for (let second = 0; second < 30; second += 1) {
      for (let record = 0; record < 20; record += 1) collector.finished();
      await clock.run(1_000);
    }
    assert.ok(tries >= 4 && tries <= 7, `${tries} tries in 30 s`);
    assert.equal(log.lines.length, 1);

    broken = false;
    collector.finished();
    await clock.run(5_000);
    const before = tries;
    for (let record = 0; record < 64; record += 1) collector.finished();
    await clock.settle();
    assert.equal(tries, before + 1, "a full group goes at once again");
    await collector.stop();
  });
});
