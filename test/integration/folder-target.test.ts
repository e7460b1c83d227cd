import assert from "node:assert/strict";
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { DiskBudget } from "../../src/core/disk-budget.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { parseAnnotation } from "../../src/targets/folder/annotation.ts";
import { folderTargetConfig } from "../../src/targets/folder/config.ts";
import { FolderTarget } from "../../src/targets/folder/target.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";
import { until } from "../lib/poll.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;

describe("folder target", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await tempFolder();
    path = join(folder.path, "set");
  });

  afterEach(() => folder[Symbol.asyncDispose]());

  async function targetWith(keys: object = {}): Promise<FolderTarget> {
    const target = new FolderTarget(folderTargetConfig.parse({ id: "set", kind: "folder", path, ...keys }));
    await target.start();
    return target;
  }

  const delivery = (sequence: number, sizeBytes = 512) => sampleDelivery(sequence, sampleJpeg(sequence, sizeBytes));

  async function verdict(target: FolderTarget, one: Delivery): Promise<string> {
    const outcome = (await target.deliver([one], never)).get(one.record.id);
    assert.ok(outcome !== undefined);
    if (outcome.kind === "accepted") return outcome.kind;
    return `${outcome.kind === "retry" ? outcome.scope : outcome.kind} ${outcome.error.code}`;
  }

  const lines = async () => (await readFile(join(path, "annotations.jsonl"), "utf8")).split("\n").slice(0, -1);
  const images = async () => (await readdir(join(path, "images"))).sort();

  it("writes the image and one line that says everything about it", async () => {
    const target = await targetWith();
    const detections = [sampleDetection(), sampleDetection({ label: "car", score: 0.3 })];
    const model = {
      name: "tiny",
      sha256: "ab",
      inputWidth: 64,
      inputHeight: 64,
      threshold: 0.5,
      nmsIou: 0.5,
      runtime: "none",
    };
    const one = sampleDelivery(1, sampleJpeg(), { detections, model });
    assert.equal(await verdict(target, one), "accepted");
    assert.deepEqual(await readFile(join(path, "images", one.record.name)), sampleJpeg());
    const [line = ""] = await lines();
    assert.deepEqual(JSON.parse(line), {
      id: one.record.id,
      name: one.record.name,
      device: "gw-07",
      camera: "gate",
      capturedAt: "2026-03-05T10:15:00.000Z",
      clock: "synchronised",
      width: 64,
      height: 48,
      labelled: true,
      detections: [sampleDetection()],
      model: { name: "tiny", sha256: "ab", threshold: 0.5 },
    });
    assert.equal(parseAnnotation(line)?.id, one.record.id);
  });

  it("takes the same record twice without a second line, also among many and after a restart", async () => {
    const target = await targetWith();
    for (let n = 1; n <= 300; n += 1) assert.equal(await verdict(target, delivery(n, 128)), "accepted");
    const again = await targetWith();
    for (const n of [1, 2, 150, 299, 300]) assert.equal(await verdict(again, delivery(n, 128)), "accepted");
    assert.equal((await lines()).length, 300);
    assert.equal((await images()).length, 300);
  }).timeout(10_000);

  it("adds the line that a crash kept from being written, and writes the image anew", async () => {
    const target = await targetWith();
    assert.equal(await verdict(target, delivery(1)), "accepted");
    await writeFile(join(path, "images", delivery(2).record.name), "torn");
    await writeFile(join(path, "images", ".left.jpg.part"), "torn");
    assert.equal(await verdict(await targetWith(), delivery(2)), "accepted");
    assert.equal((await lines()).length, 2);
    assert.deepEqual(
      await images(),
      [1, 2].map((n) => delivery(n).record.name),
    );
    assert.deepEqual(await readFile(join(path, "images", delivery(2).record.name)), sampleJpeg(2));
  });

  it("cuts a last line that a crash tore at any byte, and takes its record again", async () => {
    const target = await targetWith();
    for (const n of [1, 2]) await verdict(target, delivery(n));
    const whole = await readFile(join(path, "annotations.jsonl"));
    const first = whole.indexOf("\n") + 1;
    for (let length = 0; length < whole.length; length += length < first ? 40 : 7) {
      await writeFile(join(path, "annotations.jsonl"), whole.subarray(0, length));
      const repaired = await targetWith();
      for (const n of [1, 2]) assert.equal(await verdict(repaired, delivery(n)), "accepted");
      assert.deepEqual(await readFile(join(path, "annotations.jsonl")), whole, `cut at ${length}`);
    }
    await appendFile(join(path, "annotations.jsonl"), Buffer.alloc(200_000));
    assert.equal(await verdict(await targetWith(), delivery(3)), "accepted");
    assert.equal((await lines()).length, 3);
  });

  it("stops at what the disk's budget leaves it, counts what lies there already, and goes on when there is more", async () => {
    await (await targetWith()).deliver([delivery(1, 20_000)], never);
    const budget = new DiskBudget(80_000);
    const share = budget.share("target set");
    const other = budget.share("other");
    const target = new FolderTarget(folderTargetConfig.parse({ id: "set", kind: "folder", path }), share);
    await target.start();
    await until(() => budget.recordsBytesMax() < 60_000, "the background measurement");
    assert.equal(await verdict(target, delivery(2, 20_000)), "accepted");
    other.uses(10_000);
    assert.equal(await verdict(target, delivery(3, 20_000)), "target FOLDER_FULL");
    assert.equal((await images()).length, 2);
    const used = 80_000 - budget.recordsBytesMax();
    assert.ok(used > 50_000 && used < 52_000, `${used} bytes`);
    other.uses(0);
    assert.equal(await verdict(target, delivery(3, 18_000)), "accepted");
    assert.ok(budget.recordsBytesMax() >= 20_000);
  });

  it("is full at maxBytes, deletes nothing, and goes on once there is room", async () => {
    const target = await targetWith({ maxBytes: "25KB" });
    assert.equal(await verdict(target, delivery(1, 10_000)), "accepted");
    assert.equal(await verdict(target, delivery(2, 10_000)), "accepted");
    assert.equal(await verdict(target, delivery(3, 10_000)), "target FOLDER_FULL");
    assert.equal(await verdict(await targetWith({ maxBytes: "25KB" }), delivery(3, 10_000)), "target FOLDER_FULL");
    assert.equal(await verdict(target, delivery(4, 200)), "accepted");
    assert.equal((await images()).length, 3);
    await rm(join(path, "images", delivery(1).record.name));
    assert.equal(await verdict(target, delivery(3, 10_000)), "accepted");
  });

  it("keeps its records while the folder cannot be written", async () => {
    await writeFile(path, "a file where the folder should be");
    const target = await targetWith();
    assert.equal(await verdict(target, delivery(1)), "target DISK_FAILED");
    await assert.rejects(target.probe(never), { code: "DISK_FAILED" });
    await rm(path);
    assert.equal(await verdict(target, delivery(1)), "accepted");
    await target.probe(never);
  });

  it("probes without a change to the data set, which a writer may be at, and says when it is full", async () => {
    await (await targetWith()).probe(never);
    assert.deepEqual(await readdir(folder.path), []);
    assert.equal(await verdict(await targetWith(), delivery(1, 10_000)), "accepted");
    await appendFile(join(path, "annotations.jsonl"), '{"half');
    await writeFile(join(path, "images", ".next.jpg.part"), "half");
    const before = [await images(), await readFile(join(path, "annotations.jsonl"), "utf8")];
    await (await targetWith()).probe(never);
    await assert.rejects((await targetWith({ maxBytes: "10KB" })).probe(never), { code: "FOLDER_FULL" });
    assert.deepEqual([await images(), await readFile(join(path, "annotations.jsonl"), "utf8")], before);
  });

  it("never writes outside its folder", async () => {
    const target = await targetWith();
    for (const name of ["../out.jpg", "/tmp/out.jpg", ".hidden", "a\0b", ""]) {
      const one = delivery(1);
      const outcome = await verdict(target, { ...one, record: { ...one.record, name } });
      assert.equal(outcome, "rejected ENCODE_FAILED", name);
    }
    assert.deepEqual(await readdir(folder.path), []);
  });

  it("takes nothing of a record whose image cannot be read", async () => {
    const target = await targetWith();
    const one = { ...delivery(1), image: () => Promise.reject(new Error("disk")) };
    assert.match(await verdict(target, one), /UNEXPECTED/);
    assert.deepEqual(await images(), []);
    assert.equal(await verdict(target, delivery(1)), "accepted");
  });
});
