import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { UploadControl } from "../../src/deliver/upload-control.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { until } from "../lib/poll.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const targets = [
  { id: "a", enabled: true },
  { id: "b", enabled: true },
  { id: "off", enabled: false },
];

function controlOf(stateFolder: string) {
  const clock = new VirtualClock();
  const log = new RecordingLogger();
  const control = new UploadControl({ stateFolder, targets }, { clock, random: seededRandom(1), log });
  const kinds = () => targets.map(({ id }) => control.gateOf(id)?.hold()?.kind ?? "open");
  return { clock, log, control, kinds };
}

describe("pauses and limits", () => {
  it("hold at once, and end by themselves or on a word", async () => {
    await using temp = await tempFolder();
    const { clock, log, control, kinds } = controlOf(temp.path);
    await control.start();
    assert.deepEqual(kinds(), ["open", "open", "disabled"]);
    await control.pause(["a"], 90_000);
    await control.pause(["b"]);
    assert.deepEqual(kinds(), ["paused", "paused", "disabled"]);
    assert.equal(control.gateOf("a")?.hold()?.leftMs, 90_000);
    await clock.run(90_000);
    assert.deepEqual(kinds(), ["open", "paused", "disabled"]);
    await control.resume(["b"]);
    assert.deepEqual(kinds(), ["open", "open", "disabled"]);
    await control.limit(5_000);
    assert.deepEqual(control.health(), { limitBytesPerSecond: 5_000, limitWaitMs: 0 });
    await control.limit(undefined);
    assert.deepEqual(control.health(), {});
    await control.stop();
    assert.equal(log.lines.filter(({ event }) => event === "upload.paused").length, 2);
  });

  it("are kept over a restart; what is left of a pause counts running time", async () => {
    await using temp = await tempFolder();
    {
      const { clock, control } = controlOf(temp.path);
      await control.start();
      await control.pause(["a"]);
      await control.pause(["b"], 600_000);
      await control.limit(2_000);
      for (const leftMs of [540_000, 480_000, 420_000]) {
        await clock.run(60_000);
        await waitForNote(temp.path, leftMs);
        // The file is there before its folder is flushed, and only then the next minute is waited for.
        await until(() => clock.sleeping > 0, "the next note to be due");
      }
      // Not stopped: as after kill -9.
    }
    const { clock, control, kinds } = controlOf(temp.path);
    await control.start();
    assert.deepEqual(kinds(), ["paused", "paused", "disabled"]);
    assert.equal(control.gateOf("a")?.hold()?.leftMs, undefined);
    assert.equal(control.gateOf("b")?.hold()?.leftMs, 420_000);
    assert.equal(control.health().limitBytesPerSecond, 2_000);
    await clock.run(420_000);
    assert.deepEqual(kinds(), ["paused", "open", "disabled"]);
    await control.stop();
  });

  it("are not in force where they cannot be kept", async () => {
    await using temp = await tempFolder();
    const { control, kinds } = controlOf(temp.path);
    await control.start();
    await control.pause(["a"]);
    await chmod(temp.path, 0o500);
    try {
      if (process.getuid?.() !== 0) {
        await assert.rejects(control.pause(["b"]), { code: "STATE_UNWRITABLE" });
        assert.deepEqual(kinds(), ["paused", "open", "disabled"]);
      }
    } finally {
      await chmod(temp.path, 0o700);
    }
    await control.stop();
  });

  it("hold for every target where nobody knows any more which was paused, until somebody resumes it", async () => {
    for (const bad of ["{", '{"version":1,"state":{"pauses":{"a":{"leftMs":-1}}}}', '{"version":1,"state":{}}']) {
      await using temp = await tempFolder();
      const path = join(temp.path, "upload.json");
      for (const each of [path, `${path}.bak`]) await writeFile(each, bad);
      const { control, kinds, log } = controlOf(temp.path);
      await control.start();
      assert.deepEqual(kinds(), ["paused", "paused", "disabled"], bad);
      const said = log.lines.filter(({ event }) => event === "upload.pauses_lost");
      assert.deepEqual(
        said.map(({ level, fields }) => [level, fields["code"]]),
        [["error", "STATE_UNREADABLE"]],
      );
      assert.equal(await readFile(`${path}.damaged`, "utf8"), bad);
      assert.deepEqual(control.unknown(), ["a", "b", "off"]);
      await control.resume(["a"]);
      assert.deepEqual(
        [kinds(), control.unknown()],
        [
          ["open", "paused", "disabled"],
          ["b", "off"],
        ],
      );
      // Killed here.
      const again = controlOf(temp.path);
      await again.control.start();
      assert.deepEqual(again.kinds(), ["open", "paused", "disabled"]);
      await again.control.stop();
      await control.stop();
    }
  });

  it("forget a target that is configured no more, and hold up nothing before the start", async () => {
    await using temp = await tempFolder();
    const path = join(temp.path, "upload.json");
    await writeFile(path, JSON.stringify({ version: 1, state: { pauses: { gone: {}, b: {} } } }));
    const { control, kinds } = controlOf(temp.path);
    assert.deepEqual(kinds(), ["open", "open", "disabled"]);
    await control.start();
    assert.deepEqual(kinds(), ["open", "paused", "disabled"]);
    await control.resume(["b"]);
    assert.deepEqual(JSON.parse(await readFile(path, "utf8")), { version: 1, state: { pauses: {} } });
    await control.stop();
  });
});

/** The clock is virtual, the disk is not. */
async function waitForNote(folder: string, leftMs: number): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const text = await readFile(join(folder, "upload.json"), "utf8");
    if (text.includes(`"leftMs": ${leftMs}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail(await readFile(join(folder, "upload.json"), "utf8"));
}
