import assert from "node:assert/strict";
import { utimesSync, watch, writeFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { before, describe, it } from "mocha";
import { WatchedFiles } from "../../src/capture/folder/files.ts";
import { captureLimits } from "../../src/core/capture-limits.ts";
import { FolderBench } from "../lib/folder-bench.ts";
import { numberedJpeg, numberOf } from "../lib/jpegs.ts";
import { until } from "../lib/poll.ts";
import { runProgram } from "../lib/shell.ts";
import { fillUp, mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";

const never = new AbortController().signal;

describe("a watched folder into which cameras upload", () => {
  it("finds pictures in dated folders, named by their path, and leaves all other files alone", async () => {
    await using bench = await FolderBench.make();
    const camera = await bench.start({ recursive: true });
    await bench.put("2026-11-21/001/jpg/10.15.jpg", numberedJpeg(1));
    await bench.put("2026-11-21/001/jpg/10.16.JPG", numberedJpeg(2));
    await bench.put("cam2/20261121/a.jpeg", numberedJpeg(3));
    await bench.put("root.jpg", numberedJpeg(4));
    for (const name of ["2026-11-21/001/dav/10.mp4", "2026-11-21/DVRWorkDirectory", "cam2/test.txt"]) {
      await bench.put(name, Buffer.from("something else"));
    }
    const names: (string | undefined)[] = [];
    for (let at = 0; at < 4; at += 1) names.push((await bench.take()).fileName);
    assert.deepEqual(names.sort(), [
      "2026-11-21/001/jpg/10.15.jpg",
      "2026-11-21/001/jpg/10.16.JPG",
      "cam2/20261121/a.jpeg",
      "root.jpg",
    ]);
    await bench.takesNothing(200);
    const files = (await bench.left()).filter((name) => /\.|DVR/.test(name));
    assert.deepEqual(files, ["2026-11-21/001/dav/10.mp4", "2026-11-21/DVRWorkDirectory", "cam2/test.txt"]);
    assert.equal(camera.health().framesBad, 0);
    await camera.stop();
    assert.deepEqual(await readdir(join(bench.folder, ".framepost-claimed"), { recursive: true }), ["spare"]);
  });

  it("looks into no folder below unless it is told to, follows no link, and goes no deeper than its bound", async () => {
    await using bench = await FolderBench.make();
    await using elsewhere = await FolderBench.make();
    await elsewhere.put("private.jpg", numberedJpeg(9));
    await bench.put("below/a.jpg", numberedJpeg(1));
    await symlink(elsewhere.folder, join(bench.folder, "link"));
    await bench.put(".hidden/b.jpg", numberedJpeg(2));
    await bench.put("1/2/3/4/c.jpg", numberedJpeg(3));
    await bench.start();
    await bench.takesNothing(250);
    await bench.camera.stop();
    await bench.start({ recursive: true, limits: { folderDepthMax: 3 } });
    assert.equal((await bench.take()).fileName, "below/a.jpg");
    await bench.takesNothing(250);
    assert.deepEqual(await readdir(elsewhere.folder), ["private.jpg"]);
  });

  it("removes dated folders that were empty for a day of watching, whatever their times say, and no others", async () => {
    await using bench = await FolderBench.make();
    const folders = ["2026-11-20/001/jpg", "2026/11/20", "20261119", "cam1/inbox", "ftp-2026", "2026-11-21"];
    for (const folder of folders) {
      await mkdir(join(bench.folder, folder), { recursive: true });
      // Made before the clock was set.
      await utimes(join(bench.folder, folder), 1_000, 1_000);
    }
    const files = new WatchedFiles({ path: bench.folder, recursive: true }, captureLimits);
    const dayMs = 24 * 60 * 60_000;
    const left = async (nowMs: number) => (await files.scan(nowMs), bench.left());
    const all = await bench.left();
    assert.deepEqual(await left(5), all);
    assert.deepEqual(await left(5 + dayMs), all);
    // Somebody was there.
    await utimes(join(bench.folder, "2026-11-21"), 2_000, 2_000);
    // A parent has changed when its last folder went, and waits for its own day.
    const kept = ["2026", "2026-11-20", "2026-11-20/001", "2026-11-21", "2026/11", "cam1", "cam1/inbox", "ftp-2026"];
    assert.deepEqual(await left(6 + dayMs), kept);
    await left(7 + dayMs);
    assert.deepEqual(await left(8 + 2 * dayMs), ["2026", "2026-11-20", "2026/11", "cam1", "cam1/inbox", "ftp-2026"]);
  });

  it("puts a picture back where it was, also when its folder has gone meanwhile", async () => {
    await using bench = await FolderBench.make();
    const file = await bench.put("2026-11-21/001/a.jpg", numberedJpeg(1));
    const driver = bench.driver(true);
    await driver.start(never);
    assert.equal((await driver.shot(never)).kind, "image");
    await rm(join(bench.folder, "2026-11-21"), { recursive: true });
    await driver.stop();
    assert.equal(numberOf(await readFile(file)), 1);
  });

  it("sets pictures of any folder aside under one name each", async () => {
    await using bench = await FolderBench.make();
    await bench.start({ recursive: true });
    await bench.put("2026-11-21/a.jpg", numberedJpeg(1));
    await bench.put(`${"long/".repeat(6)}${"x".repeat(240)}.jpg`, Buffer.alloc(300));
    await bench.camera.refuse(await bench.take(), "rubbish");
    const waiting = bench.camera.nextFrame(never);
    await until(() => bench.camera.health().framesBad === 2, "two pictures to be set aside");
    const rejected = await readdir(join(bench.folder, "rejected"));
    assert.equal(rejected.filter((name) => /^\d+-2026-11-21_a\.jpg$/.test(name)).length, 1);
    assert.equal(rejected.filter((name) => /^\d+-x{100,}\.jpg$/.test(name)).length, 1);
    await bench.camera.stop();
    assert.equal(await waiting, undefined);
  });

  it("says which folder below it may not read, and takes what lies in the others", async () => {
    await using bench = await FolderBench.make();
    const file = await bench.put("locked/a.jpg", numberedJpeg(1));
    await chmod(bench.folder, 0o777);
    await chmod(dirname(bench.folder), 0o755);
    await chmod(dirname(file), 0);
    const root = process.geteuid?.() === 0;
    // Root may read everything, so that the test becomes somebody else for a moment.
    if (root) process.seteuid?.(65_534);
    try {
      await bench.start({ recursive: true });
      await bench.put("good.jpg", numberedJpeg(2));
      assert.equal(numberOf((await bench.take()).jpeg), 2);
      const waiting = bench.camera.nextFrame(never);
      await until(() => bench.camera.health().lastError !== undefined, "an error");
      assert.match(bench.camera.health().lastError?.message ?? "", /"locked" cannot be taken: EACCES/);
      await bench.put("more.jpg", numberedJpeg(3));
      assert.equal(numberOf((await waiting)?.jpeg), 3);
      await bench.camera.stop();
    } finally {
      if (root) process.seteuid?.(0);
      await chmod(dirname(file), 0o755);
    }
  });

  it("holds nothing after a stop in the middle of its start, and after many stops at once", async () => {
    await using bench = await FolderBench.make();
    await bench.put("a.jpg", numberedJpeg(1));
    const driver = bench.driver();
    for (let round = 0; round < 20; round += 1) {
      const controller = new AbortController();
      const starting = driver.start(controller.signal);
      if (round % 2 === 0) await new Promise(setImmediate);
      controller.abort();
      await Promise.all([driver.stop(), driver.stop(), assert.rejects(starting, { name: "AbortError" })]);
      assert.deepEqual(await readdir(join(bench.folder, ".framepost-claimed")), ["spare"]);
    }
    await driver.start(never);
    await assert.rejects(Promise.all([driver.stop(), driver.start(never)]), { code: "CAMERA_BUSY" });
    await driver.stop();
    assert.deepEqual(await bench.left(), ["a.jpg"]);
  });

  it("takes both of two pictures that are uploaded under one name, one while the other is worked on", async () => {
    await using bench = await FolderBench.make();
    await bench.start();
    await bench.put("snapshot.jpg", numberedJpeg(1));
    assert.equal(numberOf((await bench.take()).jpeg), 1);
    await bench.put("snapshot.jpg", numberedJpeg(2));
    assert.equal(numberOf((await bench.take()).jpeg), 2);
    // And by a rename over one that was not taken yet: only the new one is there to be had.
    await bench.put("snapshot.jpg", numberedJpeg(3));
    await rename(await bench.put("snapshot.part", numberedJpeg(4)), join(bench.folder, "snapshot.jpg"));
    assert.equal(numberOf((await bench.take()).jpeg), 4);
    await bench.takesNothing(150);
    assert.deepEqual(await bench.left(), []);
  });

  it("misses nothing when more happens than the system remembers: the rescan sees what no event told", async () => {
    await using bench = await FolderBench.make();
    await bench.start();
    const seen = new Set<string | null>();
    const watcher = watch(bench.folder, (_, name) => seen.add(name));
    const first = bench.camera.nextFrame(AbortSignal.timeout(5_000));
    for (const name of ["a.tmp", "b.tmp"]) writeFileSync(join(bench.folder, name), "");
    // Nothing is read from the queue of events, of 16,384 at most, while this runs; equal events in a row count once.
    for (let turn = 0; turn < 10_000; turn += 1) {
      for (const name of ["a.tmp", "b.tmp"]) utimesSync(join(bench.folder, name), turn, turn);
    }
    for (let at = 0; at < 100; at += 1) writeFileSync(join(bench.folder, `${at}.jpg`), numberedJpeg(at));
    writeFileSync(join(bench.folder, "last.tmp"), "");
    const numbers = [numberOf((await first)?.jpeg), ...(await bench.takeNumbers(99))];
    assert.equal(new Set(numbers).size, 100);
    watcher.close();
    assert.ok(seen.has("b.tmp") && !seen.has("last.tmp"), "the queue did overflow");
  }).timeout(10_000);

  describe("on a disk of its own", () => {
    before(async function () {
      await needsSmallDisk(this, "ext4");
    });

    async function withDisk(work: (bench: FolderBench) => Promise<void>): Promise<void> {
      await using bench = await FolderBench.make();
      mountSmallDisk(bench.folder, 4, "ext4");
      await chmod(bench.folder, 0o755);
      await rm(join(bench.folder, "lost+found"), { recursive: true });
      try {
        await work(bench);
      } finally {
        await bench.camera.stop();
        unmount(bench.folder);
      }
    }

    it("empties a disk that is full of uploads, also when it is started only then", async () => {
      await withDisk(async (bench) => {
        await bench.start();
        await bench.camera.stop();
        for (let at = 0; at < 20; at += 1) await bench.put(`${at}.jpg`, numberedJpeg(at));
        await using filler = await fillUp(join(bench.folder, "other"));
        await assert.rejects(mkdir(join(bench.folder, "folder")), { code: "ENOSPC" });
        const camera = await bench.start();
        assert.deepEqual(
          await bench.takeNumbers(20),
          Array.from({ length: 20 }, (_, at) => at),
        );
        await bench.takesNothing(100);
        assert.deepEqual(await bench.left(), [basename(filler.path)]);
        assert.equal(camera.health().lastError, undefined);
      });
    });

    it("waits while it may not write, and for a disk that was pulled out, and goes on with what is there then", async () => {
      await withDisk(async (bench) => {
        await bench.put("a.jpg", numberedJpeg(1));
        runProgram("mount", "-o", "remount,ro", bench.folder);
        const camera = await bench.start();
        const first = camera.nextFrame(never);
        await until(() => camera.health().restarts >= 1, "another try");
        assert.equal(camera.health().state === "running", false);
        assert.match(camera.health().lastError?.message ?? "", /cannot be used: EROFS/);
        runProgram("mount", "-o", "remount,rw", bench.folder);
        assert.equal(numberOf((await first)?.jpeg), 1);
        await bench.put("b.jpg", numberedJpeg(2));
        await bench.put("c.jpg", numberedJpeg(3));
        assert.equal(numberOf((await bench.take()).jpeg), 2);

        // What was claimed is still on the disk, and comes again: a repeat, never a loss.
        runProgram("umount", bench.folder);
        await bench.put("meanwhile.jpg", numberedJpeg(4));
        assert.equal(numberOf((await bench.take()).jpeg), 4);
        assert.equal(camera.health().lastError?.code, "CAMERA_NO_FOLDER");
        runProgram("mount", "-o", "loop,noatime", `${bench.folder}.img`, bench.folder);
        assert.deepEqual(await bench.takeNumbers(2), [2, 3]);
        await bench.takesNothing(150);
      });
    });
  });
});
