import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pullDataset, type PullSummary } from "../../agent/pull/pull.ts";
import type { LabelSource, SourceBox, SourceImage } from "../../agent/pull/source.ts";
import { AgentError } from "../../src/core/errors.ts";
import { pullLimits } from "../../src/core/deliver-limits.ts";
import type { DatasetFormatName } from "../../src/targets/folder/dataset-writer.ts";
import { exifSegment, handmadeJpeg } from "../lib/jpegs.ts";
import { sampleJpeg } from "../lib/records.ts";
import { seededRandom, SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;
const person: SourceBox = {
  label: "person",
  unit: "fraction",
  box: { left: 0.25, top: 0.5, width: 0.5, height: 0.25 },
};

/** A platform in memory that counts what is fetched. */
class Source implements LabelSource {
  readonly origin: string;
  readonly images = new Map<string, { boxes: readonly SourceBox[]; bytes: () => Buffer }>();
  readonly fetched: string[] = [];
  asked: readonly string[] = [];

  constructor(origin = "iotown https://town.example") {
    this.origin = origin;
  }

  add(id: string, boxes: readonly SourceBox[] = [person], bytes?: () => Buffer): void {
    const made = sampleJpeg(this.images.size);
    this.images.set(id, { boxes, bytes: bytes ?? (() => made) });
  }

  async list(classes: readonly string[]): Promise<readonly SourceImage[]> {
    this.asked = classes;
    return [...this.images].map(([id, { boxes }]) => ({
      id,
      boxes,
      fetch: async () => {
        this.fetched.push(id);
        return this.images.get(id)?.bytes() ?? Buffer.alloc(0);
      },
    }));
  }
}

function failing(code: string, disposition: "retry" | "fatal"): () => Buffer {
  return () => {
    throw new AgentError(code, `GET https://town.example/x: ${code}`, { disposition });
  };
}

describe("dataset pull", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let to: string;
  let source: Source;

  beforeEach(async () => {
    folder = await tempFolder();
    to = join(folder.path, "out");
    source = new Source();
  });

  afterEach(() => folder[Symbol.asyncDispose]());

  async function pull(format: DatasetFormatName, classes = ["person"], from = source): Promise<PullSummary> {
    const job = { kind: "iotown", classes, to, format, onProgress: () => undefined };
    return pullDataset(job, from, { clock: new SimulatedClock(), random: seededRandom(3) }, never);
  }

  const images = () => readdir(join(to, "images", "train"));
  const labels = async (name: string) => readFile(join(to, "labels", "train", name), "utf8");

  it("fetches nothing again that lies there whole, and mends what does not", async () => {
    for (const id of ["a1", "b2", "c3"]) source.add(id);
    assert.deepEqual(await pull("yolo"), {
      ...{ images: 3, boxes: 3, fetched: 3, missing: 0, emptyBoxes: 0, withdrawn: 0 },
      ...{ classes: { person: 3 }, skipped: {}, problems: [] },
    });
    assert.equal((await stat(join(to, "images", "train", "iotown-b2.jpg"))).isFile(), true);
    await writeFile(join(to, "images", "train", "iotown-b2.jpg"), sampleJpeg(2).subarray(0, 300));
    await rm(join(to, "images", "train", "iotown-c3.jpg"));
    source.fetched.length = 0;
    const again = await pull("yolo");
    assert.deepEqual([source.fetched.sort(), again.images, again.fetched], [["b2", "c3"], 3, 2]);
  });

  it("never takes an id for a path, nor two ids for one file", async () => {
    const ids = ["../../etc/passwd", "..", "a/b", "A1", "a1", "con\0", "ü", "-rf", ".hidden", "x".repeat(300)];
    for (const id of ids) source.add(id);
    assert.equal((await pull("coco")).images, ids.length);
    const names = await readdir(join(to, "images"));
    assert.equal(names.length, ids.length);
    for (const name of names) assert.match(name, /^iotown-[a-z0-9][a-z0-9_.-]*\.jpg$/);
    assert.deepEqual((await readdir(folder.path)).sort(), ["out"]);
  });

  it("leaves out what is no whole upright JPEG, says which and why, and writes none of it", async () => {
    source.add("good");
    source.add("png", [person], () => Buffer.from("\x89PNG\r\n\x1a\n and so on", "latin1"));
    source.add("turned", [person], () => handmadeJpeg(64, 48, exifSegment(6)));
    source.add("cut", [person], () => sampleJpeg(5).subarray(0, 400));
    source.add("outside", [{ ...person, box: { left: 1.5, top: 0, width: 0.2, height: 0.2 } }]);
    const summary = await pull("yolo");
    assert.equal(summary.images, 1);
    assert.equal(summary.missing, 1);
    assert.deepEqual(summary.skipped, {
      "it is no JPEG": 1,
      "its EXIF data turns it": 1,
      "it has no box inside the image": 1,
    });
    assert.deepEqual(summary.problems.map(({ image }) => image).sort(), ["cut", "outside", "png", "turned"]);
    assert.deepEqual(await images(), ["iotown-good.jpg"]);
  });

  it("tries again what may pass, and leaves a platform alone that fails again and again", async () => {
    let tries = 0;
    source.add("shaky", [person], () => {
      tries += 1;
      if (tries < pullLimits.triesMax) throw new AgentError("HTTP_503", "busy", { disposition: "retry" });
      return sampleJpeg(1);
    });
    source.add("gone", [person], failing("HTTP_404", "fatal"));
    const summary = await pull("yolo");
    assert.deepEqual([summary.images, summary.missing, tries], [1, 1, pullLimits.triesMax]);
    assert.equal(source.fetched.filter((id) => id === "gone").length, 1);

    for (let at = 0; at < 50; at += 1) source.add(`away-${at}`, [person], failing("NET_REFUSED", "retry"));
    source.fetched.length = 0;
    const away = await pull("yolo");
    assert.deepEqual([away.images, away.missing], [1, 51]);
    assert.ok(source.fetched.length <= (pullLimits.failuresInARowMax + pullLimits.lanes) * pullLimits.triesMax);
    assert.ok(away.problems.some(({ why }) => /^not tried after: .*NET_REFUSED/.test(why)));
  });

  it("gives up nothing for pictures that are gone or damaged, unless the platform has none at all", async () => {
    const many = pullLimits.goneBeforeFirstMax + 20;
    for (let at = 0; at < many; at += 1) source.add(`gone-${at}`, [person], failing("HTTP_404", "fatal"));
    await pull("yolo");
    const asked = source.fetched.length;
    assert.ok(asked >= pullLimits.goneBeforeFirstMax && asked <= pullLimits.goneBeforeFirstMax + pullLimits.lanes);
    source.images.clear();

    source.add("aa-there");
    await pull("yolo");
    for (let at = 0; at < many; at += 1) source.add(`gone-${at}`, [person], failing("HTTP_404", "fatal"));
    for (let at = 0; at < 20; at += 1) source.add(`half-${at}`, [person], () => sampleJpeg(1).subarray(0, 60));
    source.add("zz-there");
    const summary = await pull("yolo");
    assert.deepEqual([summary.images, summary.missing], [2, many + 20]);
    assert.ok(summary.problems.every(({ why }) => !why.startsWith("not tried")));
  });

  it("keeps the numbers of its classes, and pulls those of before again", async () => {
    source.add("one", [person]);
    await pull("yolo", ["person"]);
    source.add("two", [person, { ...person, label: "car" }, { ...person, label: "dog" }]);
    const summary = await pull("yolo", ["car"]);
    assert.deepEqual([summary.classes, source.asked], [{ person: 2, car: 1 }, ["person", "car"]]);
    const lines = (await labels("iotown-two.txt")).trim().split("\n");
    assert.deepEqual(
      lines.map((line) => line.split(" ")[0]),
      ["0", "1"],
    );
  });

  it("moves aside what nobody labels so any more", async () => {
    source.add("kept");
    source.add("taken-back");
    await pull("yolo");
    await writeFile(join(to, "images", "train", "mine.jpg"), "not ours");
    await writeFile(join(to, "images", "train", "iotown-broken.jpg.part"), "half");
    source.images.delete("taken-back");
    assert.equal((await pull("yolo")).withdrawn, 1);
    assert.deepEqual((await images()).sort(), ["iotown-kept.jpg", "mine.jpg"]);
    assert.deepEqual(await readdir(join(to, "withdrawn")), ["iotown-taken-back.jpg"]);
  });

  it("changes nothing where it may not write, or where the labels cannot be read", async () => {
    source.add("one");
    await pull("coco");
    const before = await readFile(join(to, "annotations", "instances.json"), "utf8");
    const other = new Source("iotown https://other.example");
    other.add("one");
    await assert.rejects(pull("coco", ["person"], other), { code: "DATASET_DESTINATION" });
    await assert.rejects(pull("voc"), { code: "DATASET_DESTINATION" });
    source.list = () => Promise.reject(new AgentError("HTTP_401", "no", { disposition: "fatal" }));
    await assert.rejects(pull("coco"), { code: "HTTP_401" });
    assert.equal(await readFile(join(to, "annotations", "instances.json"), "utf8"), before);
    await mkdir(join(folder.path, "theirs"));
    await writeFile(join(folder.path, "theirs", "file"), "x");
    to = join(folder.path, "theirs");
    await assert.rejects(pull("coco"), { code: "DATASET_DESTINATION" });
  });

  it("ends when it is stopped, and goes on from there", async () => {
    const stop = new AbortController();
    for (let at = 0; at < 20; at += 1) source.add(`n${at}`);
    const job = { kind: "iotown", classes: ["person"], to, format: "coco" as const };
    const seams = { clock: new SimulatedClock(), random: seededRandom(3) };
    const onProgress = (done: number): void => {
      if (done === 7) stop.abort();
    };
    await assert.rejects(pullDataset({ ...job, onProgress }, source, seams, stop.signal));
    const early = source.fetched.length;
    assert.ok(early < 20);
    assert.deepEqual(await readdir(join(to, "annotations")).then((names) => names.includes("instances.json")), false);
    const summary = await pull("coco");
    assert.deepEqual([summary.images, summary.missing], [20, 0]);
    assert.ok(source.fetched.length <= 20 + pullLimits.lanes);
  });

  it("stops at once when the disk fails", async () => {
    for (let at = 0; at < 20; at += 1) source.add(`n${at}`);
    await pull("coco");
    await rm(join(to, "images"), { recursive: true });
    await writeFile(join(to, "images"), "a file");
    source.fetched.length = 0;
    await assert.rejects(pull("coco"), { code: "DISK_FAILED" });
    assert.equal(source.fetched.length, 0);
  });
});
