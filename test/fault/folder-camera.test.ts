import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { folderDriver, type FolderOptions } from "../../src/capture/folder/driver.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import type { Frame } from "../../src/core/types.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { numberedJpeg, numberOf } from "../lib/jpegs.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const clock = new SystemClock();
const never = new AbortController().signal;
/** Small enough for a test to wait, in the same order as the real ones. */
const quick = { watchSettleMs: 60, watchRescanMs: 150, watchQuietMs: 5, watchAbandonedMs: 200, backoffFirstMs: 20 };

describe("folder camera", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>>;
  let folder: string;
  let picture: Buffer;
  const cameras: SupervisedCamera[] = [];

  beforeEach(async () => {
    temp = await tempFolder();
    folder = join(temp.path, "pictures");
    await mkdir(folder);
    picture = await jpegOf(50);
  });

  afterEach(async () => {
    for (const camera of cameras.splice(0)) await camera.stop();
    await temp[Symbol.asyncDispose]();
  });

  async function started(mode: FolderOptions["mode"], limits = {}, intervalMs = 0) {
    const bounds = { ...quick, ...limits };
    const driver = folderDriver({ path: folder, mode }, { clock, limits: bounds });
    const log = new RecordingLogger();
    const seams = { clock, random: seededRandom(1), log };
    const camera = new SupervisedCamera({ id: "yard", driver, intervalMs, limits: bounds }, seams);
    cameras.push(camera);
    await camera.start(never);
    return camera;
  }

  async function taken(camera: SupervisedCamera, limitMs = 4_000): Promise<Buffer> {
    const frame = await camera.nextFrame(AbortSignal.timeout(limitMs));
    assert.ok(frame);
    return frame.jpeg;
  }

  async function nothingWithin(camera: SupervisedCamera, ms: number): Promise<void> {
    await assert.rejects(camera.nextFrame(AbortSignal.timeout(ms)), { name: "TimeoutError" });
  }

  /** Asks for a picture that does not come, for as long as it takes `check` to hold: the driver works only when asked. */
  async function asking(camera: SupervisedCamera, check: () => boolean, what: string): Promise<void> {
    const controller = new AbortController();
    const asked = camera.nextFrame(controller.signal).then(
      () => "a picture",
      () => "nothing",
    );
    await until(check, what);
    controller.abort();
    assert.equal(await asked, "nothing");
  }

  const put = async (name: string, bytes: Buffer) => writeFile(join(folder, name), bytes);

  /** Names of the pictures that some process has claimed. */
  async function claimed(): Promise<string[]> {
    const entries = await readdir(join(folder, ".framepost-claimed"), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }

  describe("once and loop", () => {
    it("replays JPEG files in the order of their names, whatever the case of the ending, then ends", async () => {
      const shades = new Map([
        ["a.jpg", 10],
        ["b.JPEG", 20],
        ["c.Jpg", 30],
      ]);
      for (const [name, shade] of [...shades].reverse()) await put(name, await jpegOf(shade));
      for (const name of ["note.txt", ".hidden.jpg", "d.jpg.part", "e.png"]) await put(name, picture);
      await mkdir(join(folder, "f.jpg"));
      const camera = await started("once");
      for (const shade of shades.values()) assert.deepEqual(await taken(camera), await jpegOf(shade));
      assert.equal(await camera.nextFrame(never), undefined);
      assert.equal((await readdir(folder)).length, 8, "nothing is touched");
    });

    it("reports corrupt and unreadable files and goes on", async () => {
      await put("a.jpg", picture);
      for (const name of ["b.jpg", "c.jpg", "d.jpg"]) await put(name, picture.subarray(0, -10));
      await put("e.jpg", Buffer.from("plain text, long enough to be looked at".repeat(10)));
      await symlink(join(folder, "nowhere"), join(folder, "f.jpg"));
      await put("g.jpg", picture);
      const camera = await started("once");
      await taken(camera);
      await taken(camera);
      assert.equal(await camera.nextFrame(never), undefined);
      const health = camera.health();
      assert.deepEqual([health.framesCaptured, health.framesBad, health.restarts], [2, 5, 0]);
      assert.equal(health.lastError?.code, "CAMERA_BAD_IMAGE");
    });

    it("loops past corrupt files for ever, and sees files that come later", async () => {
      for (const name of ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]) await put(name, picture.subarray(0, -10));
      await put("e.jpg", await jpegOf(1));
      const camera = await started("loop");
      for (let round = 0; round < 3; round += 1) assert.deepEqual(await taken(camera), await jpegOf(1));
      await put("f.jpg", await jpegOf(2));
      const seen: Buffer[] = [];
      for (let round = 0; round < 6; round += 1) seen.push(await taken(camera));
      const kinds = new Set(seen.map((jpeg) => jpeg.toString("base64")));
      assert.deepEqual(kinds, new Set([await jpegOf(1), await jpegOf(2)].map((jpeg) => jpeg.toString("base64"))));
      assert.equal(camera.health().frozen, false);
    });

    it("waits with back-off for a folder that is not there yet, and for pictures to loop over", async () => {
      for (const mode of ["once", "loop"] as const) {
        await rm(folder, { recursive: true });
        const camera = await started(mode);
        const asked = taken(camera);
        await until(() => camera.health().restarts >= 2, "two tries");
        assert.equal(camera.health().lastError?.code, "CAMERA_NO_FOLDER");
        await mkdir(`${folder}.new`);
        await writeFile(join(`${folder}.new`, "a.jpg"), picture);
        await rename(`${folder}.new`, folder);
        assert.deepEqual(await asked, picture);
      }
      await rm(join(folder, "a.jpg"));
      const camera = await started("loop");
      const asked = taken(camera);
      await until(() => camera.health().lastError?.code === "CAMERA_NO_PICTURE", "an empty folder to be reported");
      await put("late.jpg", picture);
      assert.deepEqual(await asked, picture);
    });

    it("waits for days between two pictures, and so does its watchdog", async () => {
      await put("a.jpg", picture);
      const camera = await started("loop", {}, 30 * 24 * 60 * 60_000);
      await taken(camera);
      await nothingWithin(camera, 60);
      const { framesCaptured, restarts, state } = camera.health();
      assert.deepEqual({ framesCaptured, restarts, state }, { framesCaptured: 1, restarts: 0, state: "running" });
    });

    it("refuses a folder of more files than it would hold names of", async () => {
      for (let at = 0; at < 4; at += 1) await put(`${at}.jpg`, picture);
      const camera = await started("once", { replayFilesMax: 3 });
      await until(() => camera.health().lastError !== undefined, "an error");
      assert.match(camera.health().lastError?.message ?? "", /more than 3 pictures/);
    });
  });

  describe("watch", () => {
    it("takes a picture that is renamed into place, and removes it once the next is asked for", async () => {
      const camera = await started("watch", { watchSettleMs: 60_000 });
      await put("upload.tmp", picture);
      await delay(30);
      await rename(join(folder, "upload.tmp"), join(folder, "a.JPG"));
      assert.deepEqual(await taken(camera), picture);
      assert.deepEqual((await readdir(folder)).sort(), [".framepost-claimed"]);
      assert.deepEqual(await claimed(), ["a.JPG"]);
      await nothingWithin(camera, 100);
      assert.deepEqual(await claimed(), []);
      await camera.stop();
      assert.deepEqual(await readdir(join(folder, ".framepost-claimed")), ["spare"], "for a start on a full disk");
    });

    it("takes no picture before its last byte is there and it has settled", async () => {
      const camera = await started("watch");
      const asked = taken(camera, 4_500);
      const progress = { written: 0, takenAt: -1 };
      void asked.then(() => (progress.takenAt = progress.written));
      for (const pauseMs of [10, 150, 40]) {
        await appendFile(join(folder, "slow.jpg"), picture.subarray(progress.written, progress.written + 130));
        progress.written += 130;
        // Longer than a file must rest: it is looked at, and found wanting.
        await delay(pauseMs);
      }
      await appendFile(join(folder, "slow.jpg"), picture.subarray(progress.written));
      progress.written = picture.length;
      assert.deepEqual(await asked, picture);
      assert.equal(progress.takenAt, picture.length);
      assert.equal(camera.health().framesBad, 0);
    });

    it("takes a burst of 1,000, each once", async () => {
      const camera = await started("watch");
      const pictures = Array.from({ length: 1_000 }, (_, at) => numberedJpeg(at));
      const first = camera.nextFrame(AbortSignal.timeout(4_000));
      await Promise.all(pictures.map(async (jpeg, at) => put(`burst-${at}.jpg`, jpeg)));
      const seen = new Set([numberOf((await first)?.jpeg)]);
      for (let at = 1; at < 1_000; at += 1) seen.add(numberOf(await taken(camera)));
      assert.equal(seen.size, 1_000);
      await nothingWithin(camera, 100);
      assert.deepEqual((await readdir(folder)).sort(), [".framepost-claimed"]);
      assert.equal(camera.health().framesCaptured, 1_000);
    }).timeout(10_000);

    it("finds pictures by rescan where no event comes", async () => {
      // The watcher of a folder that was moved away and made anew sees nothing; the path is looked at all the same.
      const camera = await started("watch");
      const asked = taken(camera);
      await rename(folder, `${folder}.old`);
      await mkdir(folder);
      await delay(50);
      await put("a.jpg", picture);
      assert.deepEqual(await asked, picture);
    });

    it("sets files aside that are no pictures or never end, and is not held up by them", async () => {
      await put("text.jpg", Buffer.from("no picture at all ".repeat(20)));
      await put("cut.jpg", picture.subarray(0, -5));
      await put("empty.jpg", Buffer.alloc(0));
      const camera = await started("watch");
      await put("good.jpg", picture);
      assert.deepEqual(await taken(camera), picture);
      assert.equal(camera.health().framesBad, 0, "the good one did not wait for the bad ones");
      await asking(camera, () => camera.health().framesBad === 3, "three files to be set aside");
      assert.match(camera.health().lastError?.message ?? "", /was set aside: /);
      const rejected = (await readdir(join(folder, "rejected"))).map((name) => name.replace(/^\d+-/, ""));
      assert.deepEqual(rejected.sort(), ["cut.jpg", "empty.jpg", "text.jpg"]);
      assert.equal(camera.health().state, "running");
      assert.equal(camera.health().restarts, 0);
    });

    it("sets a complete JPEG aside that turns out to be no picture, and never another one in its place", async () => {
      const camera = await started("watch");
      await put("a.jpg", await jpegOf(1));
      await put("b.jpg", await jpegOf(2));
      const frames: Frame[] = [];
      for (let at = 0; at < 2; at += 1) {
        const frame = await camera.nextFrame(AbortSignal.timeout(4_000));
        assert.ok(frame);
        frames.push(frame);
      }
      const [first, second] = frames;
      assert.ok(first && second);
      await camera.refuse(first, "too late");
      assert.deepEqual(await claimed(), ["b.jpg"]);
      await camera.refuse(second, "its pixels are rubbish");
      assert.deepEqual(await claimed(), []);
      const rejected = await readdir(join(folder, "rejected"));
      assert.deepEqual(
        rejected.map((name) => name.replace(/^\d+-/, "")),
        ["b.jpg"],
      );
      await camera.refuse(second, "said twice");
      await nothingWithin(camera, 100);
      assert.equal(camera.health().framesBad, 3);
      assert.match(camera.health().lastError?.message ?? "", /cannot be decoded: said twice/);
    });

    it("keeps a bounded number of files aside", async () => {
      const camera = await started("watch", { rejectedFilesMax: 4 });
      for (let at = 0; at < 10; at += 1) await put(`bad-${at}.jpg`, Buffer.alloc(200));
      await asking(camera, () => camera.health().framesBad === 10, "ten files to be set aside");
      assert.equal((await readdir(join(folder, "rejected"))).length, 4);
    });

    it("leaves everything else alone: other names, folders, links, pipes", async () => {
      await writeFile(join(temp.path, "secret.jpg"), picture);
      await symlink(join(temp.path, "secret.jpg"), join(folder, "link.jpg"));
      execFileSync("mkfifo", [join(folder, "pipe.jpg")]);
      await mkdir(join(folder, "folder.jpg"));
      for (const name of ["a.jpg.part", "b.tmp", ".c.jpg", "notes.txt"]) await put(name, picture);
      const before = (await readdir(folder)).sort();
      const camera = await started("watch");
      await nothingWithin(camera, 400);
      assert.deepEqual((await readdir(folder)).sort(), [".framepost-claimed", ...before].sort());
      assert.equal(camera.health().framesBad, 0);
    });

    it("leaves a file alone that it may not read, says so, takes the others, and takes it once it may", async () => {
      await chmod(folder, 0o777);
      await put("private.jpg", await jpegOf(7));
      await chmod(join(folder, "private.jpg"), 0);
      const root = process.geteuid?.() === 0;
      await chmod(temp.path, 0o755);
      // Root may read everything, so that the test becomes somebody else for a moment.
      if (root) process.seteuid?.(65_534);
      try {
        const camera = await started("watch", { watchAbandonedMs: 300 });
        await put("good.jpg", picture);
        assert.deepEqual(await taken(camera), picture);
        const asked = taken(camera);
        await until(() => camera.health().restarts >= 1, "the driver to be started again");
        assert.equal(camera.health().lastError?.code, "CAMERA_READ_FAILED");
        assert.match(camera.health().lastError?.message ?? "", /"private.jpg" cannot be taken: EACCES/);
        if (root) process.seteuid?.(0);
        await chmod(join(folder, "private.jpg"), 0o644);
        if (root) process.seteuid?.(65_534);
        assert.deepEqual(await asked, await jpegOf(7));
        assert.equal(camera.health().framesBad, 0);
        await camera.stop();
      } finally {
        if (root) process.seteuid?.(0);
      }
      assert.equal((await readdir(folder)).includes("rejected"), false);
    });

    it("gives a dead process's claimed picture again, and first", async () => {
      const dead = execFileSync("sh", ["-c", "echo $$"], { encoding: "latin1" }).trim();
      // The second has our process id, as in a container that was started again.
      for (const [at, owner] of [`${dead}-123-abcdef`, `${process.pid}-123-abcdef`].entries()) {
        const left = join(folder, ".framepost-claimed", owner);
        await mkdir(left, { recursive: true });
        await writeFile(join(left, "z.jpg"), await jpegOf(at));
        await utimes(join(left, "z.jpg"), at, at);
      }
      await put("a.jpg", await jpegOf(2));
      const camera = await started("watch");
      for (const shade of [0, 1, 2]) assert.deepEqual(await taken(camera), await jpegOf(shade));
    });

    it("goes on when the folder of its claims disappears, and rejects no picture for it", async () => {
      const camera = await started("watch");
      await put("a.jpg", await jpegOf(1));
      assert.deepEqual(await taken(camera), await jpegOf(1));
      await rm(join(folder, ".framepost-claimed"), { recursive: true });
      const asked = taken(camera);
      await put("b.jpg", await jpegOf(2));
      assert.deepEqual(await asked, await jpegOf(2));
      assert.equal(camera.health().framesBad, 0);
      assert.equal(camera.health().lastError?.code, "CAMERA_NO_FOLDER");
      assert.equal((await readdir(folder)).includes("rejected"), false);
    });

    it("puts a picture back that was not dealt with when it stops, under a free name where need be", async () => {
      await put("a.jpg", await jpegOf(1));
      const driver = folderDriver({ path: folder, mode: "watch" }, { clock, limits: quick });
      await driver.start(never);
      assert.deepEqual(await driver.shot(never), { kind: "image", jpeg: await jpegOf(1), fileName: "a.jpg" });
      await put("a.jpg", await jpegOf(2));
      await driver.stop();
      assert.deepEqual((await readdir(folder)).sort(), [".framepost-claimed", "a.jpg", "a~1.jpg"]);
      assert.deepEqual(await readFile(join(folder, "a.jpg")), await jpegOf(2));
      assert.deepEqual(await readFile(join(folder, "a~1.jpg")), await jpegOf(1));
    });

    it("shares a folder: no other takes its claim, which comes back when it stops", async () => {
      await put("a.jpg", await jpegOf(1));
      const beside = folderDriver({ path: folder, mode: "watch" }, { clock, limits: quick });
      await beside.start(never);
      assert.equal((await beside.shot(never)).kind, "image");
      const camera = await started("watch");
      await nothingWithin(camera, 300);
      assert.deepEqual(await claimed(), ["a.jpg"]);
      const asked = taken(camera);
      await beside.stop();
      assert.deepEqual(await asked, await jpegOf(1));
    });

    it("shares a folder: of two that drain it, each picture goes to one", async () => {
      const pictures = await Promise.all(Array.from({ length: 40 }, async (_, at) => jpegOf(at * 6)));
      for (const [at, jpeg] of pictures.entries()) await put(`${at}.jpg`, jpeg);
      const cameras = [await started("watch"), await started("watch")];
      const seen: string[] = [];
      const drained = cameras.map(async (camera) => {
        for (;;) {
          const frame = await camera.nextFrame(AbortSignal.timeout(700)).catch(() => undefined);
          if (frame === undefined) return;
          seen.push(frame.jpeg.toString("base64"));
        }
      });
      await Promise.all(drained);
      assert.deepEqual(seen.sort(), pictures.map((jpeg) => jpeg.toString("base64")).sort());
      assert.deepEqual(
        [0, 0],
        cameras.map((camera) => camera.health().restarts),
      );
    });

    it("survives the folder's disappearance", async () => {
      const camera = await started("watch");
      await put("a.jpg", await jpegOf(1));
      assert.deepEqual(await taken(camera), await jpegOf(1));
      const asked = taken(camera);
      await rm(folder, { recursive: true });
      await until(() => camera.health().lastError?.code === "CAMERA_NO_FOLDER", "the loss to be noticed");
      await mkdir(folder);
      await put("b.jpg", await jpegOf(2));
      assert.deepEqual(await asked, await jpegOf(2));
    });
  });
});
