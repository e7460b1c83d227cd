import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { composeAgent } from "../../agent/compose.ts";
import { Lifecycle } from "../../agent/lifecycle.ts";
import { healthReport } from "../../agent/report.ts";
import { loadSettings } from "../../agent/settings.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { writeConfig } from "../lib/agent.ts";
import { FakeClockSigns } from "../lib/clock-signs.ts";
import { commandContext } from "../lib/command-context.ts";
import { until } from "../lib/poll.ts";
import { tempFolder } from "../lib/temp.ts";

const year = 365 * 24 * 60 * 60_000;

/** The machine's clock, set by hand. */
class SetClock extends SystemClock {
  aheadMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.aheadMs;
  }
}

interface Line {
  readonly name: string;
  readonly capturedAt: string;
  readonly clock: string;
}

/** A whole agent that boots in 1970, learns the time, and has its clock set forward and back by decades. */
describe("an agent whose wall clock jumps by years", () => {
  it("stalls nothing, keeps the order, and sends the true times", async () => {
    await using folder = await tempFolder();
    const [clock, signs, signal] = [new SetClock(), new FakeClockSigns(), new AbortController().signal];
    clock.aheadMs = 60_000 - Date.now();
    const always = { windows: [{ from: "00:00", to: "24:00" }] };
    const camera = { driver: "simulated", width: 160, height: 120, interval: "40ms", schedule: always };
    const file = await writeConfig(folder.path, {
      device: { name: "gw" },
      cameras: [{ id: "front", ...camera, keep: { negativesEvery: 1 } }],
      targets: [{ id: "disk", kind: "folder", path: join(folder.path, "set"), includeEmpty: true }],
    });
    const context = { ...commandContext(), clock, configFile: file, dataFolder: join(folder.path, "data") };
    const { config, dataFolder, log } = await loadSettings(context, "silent");
    const seams = { clock, random: Math.random, log };
    const agent = await composeAgent(config, { dataFolder, clockSigns: signs }, seams);
    const { spool, clock: watch, vision, sending, capturing } = agent.parts;
    const [keeping, delivering] = [
      new Lifecycle([spool, watch, vision, ...capturing], log),
      new Lifecycle(sending, log),
    ];
    const lines = async (): Promise<readonly Line[]> => {
      const text = await readFile(join(folder.path, "set", "annotations.jsonl"), "utf8").catch(() => "");
      return text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line);
    };
    const more = async (what: string) => {
      const before = (await lines()).length;
      await until(async () => (await lines()).length >= before + 3, `more ${what}`, 10_000);
    };
    try {
      await keeping.start(signal);
      await until(async () => (await recordsOf(agent)) >= 5, "five records of 1970", 10_000);
      assert.match((await healthReport(agent, clock)).troubles.join(), /the clock was never set/);
      clock.aheadMs = 0;
      signs.markedMs = Date.now();
      agent.bootClock.look();
      await delivering.start(signal);
      await more("with the right time");
      clock.aheadMs = 73 * year;
      await more("in the future");
      clock.aheadMs = -55 * year;
      await more("in the past");
      clock.aheadMs = 0;
      await more("with the right time again");
      assert.deepEqual((await agent.spool.stats()).lost, []);
      assert.equal(agent.bootClock.look().quality(), "synchronised");
    } finally {
      await keeping.stop();
      await delivering.stop();
    }
    const sent = await lines();
    const bySequence = sent.toSorted((one, other) => sequenceOf(one) - sequenceOf(other));
    const times = bySequence.map(({ capturedAt }) => Date.parse(capturedAt));
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
      "the order of sequences is that of true times",
    );
    assert.ok(times.every((atMs) => Math.abs(atMs - Date.now()) < 60_000));
    assert.deepEqual([...new Set(sent.map((line) => line.clock))].sort(), ["corrected", "synchronised"]);
  });
});

async function recordsOf(agent: Awaited<ReturnType<typeof composeAgent>>): Promise<number> {
  return (await agent.spool.stats()).records;
}

function sequenceOf({ name }: Line): number {
  return Number(/-(\d+)\.jpg$/.exec(name)?.[1]);
}
