import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { findPiCameras } from "../../src/capture/discover/rpicam.ts";
import { withFormats } from "../../src/capture/discover/v4l-formats.ts";
import { isAlive } from "../../src/capture/stream/process-group.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { standIn } from "../lib/stand-in.ts";
import { tempFolder } from "../lib/temp.ts";

const clock = new SystemClock();
const never = new AbortController().signal;

/** Programs that list cameras, as they are, fail, hang and write without end. */
describe("camera listings", () => {
  let folder = "";
  let cleanup: AsyncDisposable | undefined;
  /** Stands for a device that may be opened. */
  let device = "";

  before(async () => {
    const temp = await tempFolder();
    cleanup = temp;
    folder = temp.path;
    device = join(folder, "video0");
    await writeFile(device, "");
  });

  after(async () => cleanup?.[Symbol.asyncDispose]());

  const camera = () => ({ kind: "v4l2", device, node: "/dev/video0", name: "Front" }) as const;
  const askWith = async (lines: string, timeoutMs = 5_000, signal = never) => {
    const v4l2Ctl = await standIn(folder, "v4l2-ctl", lines);
    return withFormats(camera(), { v4l2Ctl }, { clock, timeoutMs }, signal);
  };

  it("asks the one device, by its stable name", async () => {
    const found = await askWith(
      `[ "$*" = "--device ${device} --list-formats-ext" ] || exit 1; printf "\\t[0]: 'MJPG' (Motion-JPEG, compressed)\\n\\t\\tSize: Discrete 640x480\\n"`,
    );
    assert.deepEqual(found.formats, [{ format: "MJPG", sizes: [{ width: 640, height: 480, framesPerSecond: [] }] }]);
    assert.equal(found.problem, undefined);
  });

  it("lists a camera that cannot be asked, with what is wrong", async () => {
    const cases = [
      ["echo 'Failed to open /dev/video0: Device or resource busy' >&2; exit 1", "CAMERA_BUSY"],
      ["echo 'Cannot open device /dev/video0, exiting.' >&2; exit 1", "CAMERA_NO_FORMATS"],
      ["echo '/dev/video0: Permission denied' >&2; exit 1", "CAMERA_DENIED"],
      ["printf '\\033[31m\\001odd' >&2", "CAMERA_NO_FORMATS"],
      ["exit 0", "CAMERA_NO_FORMATS"],
    ] as const;
    for (const [lines, code] of cases) {
      const { problem, formats } = await askWith(lines);
      assert.deepEqual([problem?.code, formats], [code, undefined], lines);
      assert.doesNotMatch(problem?.message ?? "", /[\u0000-\u001f]/);
    }
    const gone = { ...camera(), device: join(folder, "video9") };
    assert.equal((await withFormats(gone, {}, { clock }, never)).problem?.code, "CAMERA_NO_DEVICE");
    const broken = { v4l2Ctl: join(folder, "no-such-program") };
    assert.match((await withFormats(camera(), broken, { clock }, never)).problem?.message ?? "", /does not start/);
  });

  it("ends a program that hangs, with all it started, and one that writes without end", async () => {
    const pids = join(folder, "pids");
    const started = async () => (await readFile(pids, "utf8")).trim().split("\n").map(Number);
    // Time for the program to say what it has started: on a busy machine a shell takes a tenth of a second to begin.
    const hung = await askWith(`echo $$ >${pids}; trap '' TERM; sleep 987 & echo $! >>${pids}; sleep 987`, 1_000);
    assert.match(hung.problem?.message ?? "", /did not end within 1000 ms/);
    const loud = await askWith(`echo $$ >>${pids}; while :; do echo 0123456789012345678901234567890123456789; done`);
    assert.match(loud.problem?.message ?? "", /wrote too much/);
    const stop = new AbortController();
    const asked = askWith(`echo $$ >>${pids}; exec sleep 987`, 5_000, stop.signal);
    await until(async () => (await started()).length === 4, "the last has started");
    stop.abort();
    await asked;
    const all = await started();
    await until(() => !all.some(isAlive), "every process has gone");
  });

  it("reads the answer of the real ffmpeg, which cannot open what is no camera", async function () {
    needsProgram(this, "ffmpeg", "ffmpeg");
    const { problem } = await withFormats(camera(), { ffmpeg: "/usr/bin/ffmpeg" }, { clock }, never);
    assert.equal(problem?.code, "CAMERA_NO_FORMATS");
    assert.match(problem.message, /video0/);
  });

  it("says why Raspberry Pi cameras cannot be listed", async () => {
    const hello = (lines: string) => standIn(folder, "rpicam-hello", lines);
    const list = async (lines: string) => findPiCameras(await hello(lines), { clock, timeoutMs: 300 }, never);
    assert.deepEqual(await list("echo 'No cameras available!'"), { cameras: [] });
    const failing = "echo 'ERROR: *** failed to generate capture configuration ***' >&2; exit 255";
    assert.deepEqual(await list(failing), { cameras: [], problem: "failed to generate capture configuration" });
    assert.match((await list("sleep 987")).problem ?? "", /did not end/);
    const { cameras } = await list(
      `[ "$*" = --list-cameras ] && echo '0 : ov5647 [2592x1944] (/base/i2c@1/ov5647@36)'`,
    );
    assert.deepEqual(cameras, [
      { kind: "rpicam", camera: 0, name: "ov5647", path: "/base/i2c@1/ov5647@36", formats: [] },
    ]);
  });
});
