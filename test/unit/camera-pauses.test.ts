import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { CameraPauses } from "../../src/capture/pauses.ts";
import { Pause } from "../../src/capture/pause.ts";
import { configLimits } from "../../src/core/limits.ts";
import { openPauses } from "../../src/state/camera-pauses.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { SteppedClock } from "../lib/stepped-clock.ts";
import { tempFolder } from "../lib/temp.ts";

function cameraOf(id: string, clock: SteppedClock) {
  const pause = new Pause(clock);
  return {
    id,
    pause: async (forMs = Infinity) => pause.begin(forMs),
    resume: () => pause.end(),
    pauseLeftMs: () => pause.leftMs(),
  };
}

/** The pauses of two cameras, over a state folder that outlives them. */
function benchOf(folder: string, ids: readonly string[] = ["front", "back"]) {
  const clock = new SteppedClock();
  const log = new RecordingLogger();
  const cameras = ids.map((id) => cameraOf(id, clock));
  return { clock, log, cameras, pauses: new CameraPauses(folder, cameras, { clock, random: seededRandom(1), log }) };
}

const keptIn = async (folder: string) => (await openPauses(folder)).read().pauses;

describe("pauses that hold over a restart", () => {
  it("count the time that the agent runs, and after a kill at most a minute of it anew", async () => {
    await using folder = await tempFolder();
    const first = benchOf(folder.path);
    await first.pauses.start();
    await first.pauses.pause(["front"], 10 * 60_000);
    for (const leftMs of [9 * 60_000, 8 * 60_000, 7 * 60_000]) {
      // The file is there before its writer sleeps again: a clock moved in between would skip a minute.
      await until(() => first.clock.sleeping > 0, "the next minute is awaited");
      await first.clock.advance(60_000);
      await until(async () => (await keptIn(folder.path))[0]?.leftMs === leftMs, "the minute is noted");
    }
    await first.clock.advance(30_000);
    // Killed here. A day later:
    const second = benchOf(folder.path);
    await second.pauses.start();
    assert.deepEqual(
      second.cameras.map((camera) => camera.pauseLeftMs()),
      [7 * 60_000, undefined],
    );
    await second.clock.advance(30_000);
    await second.pauses.stop();
    assert.deepEqual(await keptIn(folder.path), [{ camera: "front", leftMs: 6 * 60_000 + 30_000 }]);
    await first.pauses.stop();
  });

  it("stay for a camera that is not in the config for a while, and are bounded", async () => {
    await using folder = await tempFolder();
    const many = Array.from({ length: configLimits.camerasMax }, (_, at) => `camera-${at}-${"x".repeat(20)}`);
    const all = benchOf(folder.path, many);
    await all.pauses.start();
    await all.pauses.pause(many, 30 * 24 * 60 * 60_000);
    await all.pauses.stop();
    const other = benchOf(folder.path, ["front"]);
    await other.pauses.start();
    await other.pauses.pause(["front"]);
    await other.pauses.resume(["front"]);
    await other.pauses.pause(["front"]);
    await other.pauses.stop();
    const kept = await keptIn(folder.path);
    assert.equal(kept.length, configLimits.camerasMax);
    assert.deepEqual(kept[0], { camera: "front" });
    assert.equal(kept[1]?.camera, many[0]);
  });

  it("begin although they cannot be kept, which is said; and do not end as long as a restart would bring them back", async () => {
    await using folder = await tempFolder();
    const { pauses, cameras, clock, log } = benchOf(folder.path);
    const [front] = cameras;
    await pauses.start();
    await pauses.pause(["back"]);
    // A folder in the place of the file can be neither linked nor replaced.
    await rm(join(folder.path, "pauses.json"));
    await mkdir(join(folder.path, "pauses.json", "x"), { recursive: true });
    await assert.rejects(pauses.pause(["front"]), (error: { code: string; message: string }) => {
      assert.equal(error.code, "STATE_UNWRITABLE");
      assert.match(error.message, /^paused, but only until the next start: /);
      return true;
    });
    assert.equal(front?.pauseLeftMs(), Infinity);
    await assert.rejects(pauses.resume(["back"]), { code: "STATE_UNWRITABLE" });
    assert.equal(cameras[1]?.pauseLeftMs(), Infinity);
    await clock.advance(60_000);
    await until(() => log.lines.some(({ event }) => event === "camera.pauses_unwritten"), "it is logged");
    await rm(join(folder.path, "pauses.json"), { recursive: true });
    await clock.advance(60_000);
    await until(async () => (await keptIn(folder.path)).length === 2, "they are kept as soon as that can be");
    await pauses.stop();
  });

  it("refuse a file that says nothing of pauses", async () => {
    await using folder = await tempFolder();
    for (const state of [{}, { pauses: [{}] }, { pauses: [{ camera: "a", leftMs: -1 }] }, { pauses: [7] }]) {
      await writeFile(join(folder.path, "pauses.json"), JSON.stringify({ version: 1, state }));
      await assert.rejects(benchOf(folder.path).pauses.start(), { code: "STATE_UNREADABLE" });
    }
  });
});
