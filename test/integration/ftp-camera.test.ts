import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { handmadeJpeg, numberOf, segment } from "../lib/jpegs.ts";
import { FolderBench } from "../lib/folder-bench.ts";
import { ftpServer, needsFtp } from "../lib/ftp.ts";
import { until } from "../lib/poll.ts";
import { inTurns } from "../lib/command.ts";
import { tempFolder } from "../lib/temp.ts";

const kilobyte = Buffer.alloc(1_000, ".");

/** As large as a camera's, so that an upload takes several packets and can be cut in the middle. */
function cameraJpeg(number: number): Buffer {
  const filler = Array.from({ length: 40 }, () => segment(0xfe, kilobyte));
  return handmadeJpeg(640, 480, segment(0xfe, Buffer.from(`number ${number} `)), ...filler);
}

async function curl(...words: readonly string[]): Promise<void> {
  const child = spawn("curl", ["--silent", "--show-error", ...words], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 0, words.join(" "));
}

/** An upload whose camera is switched off when half of it is under way. */
async function cutOff(url: string, jpeg: Buffer, arrived: () => Promise<boolean>): Promise<void> {
  const child = spawn("curl", ["--silent", "--ftp-create-dirs", "-T", "-", url], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  const ended = once(child, "exit");
  child.stdin.on("error", () => undefined);
  child.stdin.write(jpeg.subarray(0, jpeg.length / 2));
  await until(arrived, "half of the upload to arrive", 5_000);
  child.kill("SIGKILL");
  await ended;
}

describe("a camera that uploads by FTP", () => {
  before(function () {
    needsFtp(this);
  });

  it("has each of its complete uploads taken once, and those that were cut off set aside", async () => {
    await using bench = await FolderBench.make();
    await using pictures = await tempFolder();
    await using server = await ftpServer(bench.folder);
    const camera = await bench.start({ recursive: true, limits: { watchSettleMs: 300, watchAbandonedMs: 1_500 } });
    const numbers: number[] = [];
    const taking = (async () => {
      while (numbers.length < 25) numbers.push(numberOf((await bench.take(15_000)).jpeg));
    })();
    const uploads = Array.from({ length: 30 }, (_, at) => at);
    const folder = `${server.url}/cam1/2026-11-21/001/jpg`;
    await inTurns(uploads, async (at) => {
      const jpeg = cameraJpeg(at);
      if (at % 6 === 0) {
        const name = `cut-${at}.jpg`;
        const path = join("cam1/2026-11-21/001/jpg", name);
        await cutOff(`${folder}/${name}`, jpeg, async () => (await bench.left()).includes(path));
        return;
      }
      const file = join(pictures.path, `${at}.jpg`);
      await writeFile(file, jpeg);
      // Some cameras upload under another name first, and some slowly.
      if (at % 3 === 0) {
        await curl(
          "-T",
          file,
          "--ftp-create-dirs",
          `${folder}/${at}.tmp`,
          "-Q",
          `-RNFR ${at}.tmp`,
          "-Q",
          `-RNTO ${at}.jpg`,
        );
      } else {
        await curl(
          "-T",
          file,
          "--ftp-create-dirs",
          ...(at % 10 === 1 ? ["--limit-rate", "40K"] : []),
          `${folder}/${at}.jpg`,
        );
      }
    });
    await taking;
    const waiting = bench.camera.nextFrame(AbortSignal.timeout(10_000));
    await until(() => camera.health().framesBad === 5, "the cut ones to be set aside", 8_000);
    await camera.stop();
    assert.equal(await waiting, undefined, "no further picture");
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      uploads.filter((at) => at % 6 !== 0),
    );
    const files = (await bench.left()).filter((name) => name.endsWith(".jpg"));
    assert.equal(files.filter((name) => /^rejected\/\d+-cam1_2026-11-21_001_jpg_cut-\d+\.jpg$/.test(name)).length, 5);
    assert.equal(files.length, 5);
    assert.equal(camera.health().restarts, 0);
  }).timeout(30_000);
});
