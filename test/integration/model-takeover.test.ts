import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import type { ModelStore } from "../../src/models/store.ts";
import type { Takeover } from "../../src/update/takeover.ts";
import { FakeSwitch } from "../lib/fake-switch.ts";
import { until } from "../lib/poll.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { type KeepingOptions, takeoverOf } from "../lib/takeover-bench.ts";
import { tempFolder } from "../lib/temp.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const probationMs = 60_000;
const arrival = { contentId: "c".repeat(64), sequence: 7, runMsMax: 100 };

interface Daemon {
  readonly clock: VirtualClock;
  readonly log: RecordingLogger;
  readonly vision: FakeSwitch;
  readonly store: ModelStore;
  readonly takeover: Takeover;
  /** The model that vision starts with where it is another than `current`. */
  readonly startWith: string | undefined;
}

/** One life of the agent over this folder; it ends as `kill -9` ends it unless `endedWell` is called. */
async function life(folder: string, options: Partial<KeepingOptions> = {}): Promise<Daemon> {
  const [clock, log, vision] = [new VirtualClock(), new RecordingLogger(), new FakeSwitch()];
  const seams = { clock, random: seededRandom(1), log };
  const prove = async () => Promise.resolve({ runMs: 5 });
  const { store, takeover } = takeoverOf({ folder, vision, seams, probationMs, prove, ...options });
  const startWith = (await takeover.guard())?.name;
  vision.current = startWith ?? nameOf(await store.current());
  takeover.start();
  return { clock, log, vision, store, takeover, startWith };
}

function nameOf(model: { readonly name: string; readonly version: string } | undefined): string {
  return model === undefined ? "tiny-end-to-end" : `${model.name}@${model.version}`;
}

async function install(store: ModelStore, version: string, name = "wasps"): Promise<void> {
  const staged = await store.stage({ name, version });
  await writeFile(join(staged.folder, "model.onnx"), `model ${name} ${version}`);
  await store.install(staged);
}

/** Lets virtual time pass until it holds; the books are written to a real disk meanwhile. */
async function passes(clock: VirtualClock, check: () => boolean, what: string): Promise<void> {
  await until(async () => (await clock.run(10_000, check)) || check(), what);
}

/** The first version is trusted, the second on probation. */
async function onProbation(folder: string): Promise<Daemon> {
  const daemon = await life(folder);
  const { clock, store, takeover } = daemon;
  for (const version of ["1", "2"]) await install(store, version);
  await takeover.use("wasps@1");
  await passes(clock, () => takeover.probation() === undefined, "trust");
  await takeover.use("wasps@2");
  return daemon;
}

/** Nothing can be put in this place, whoever tries. */
async function block(path: string): Promise<{ readonly free: () => Promise<void> }> {
  await rm(path, { force: true });
  await mkdir(join(path, "in the way"), { recursive: true });
  return { free: async () => rm(path, { recursive: true }) };
}

describe("the model in use", () => {
  it("is changed by way of a proof and of probation, and is trusted after that", async () => {
    await using folder = await tempFolder();
    const { clock, log, vision, store, takeover } = await life(folder.path);
    await install(store, "1");
    await install(store, "2");
    assert.deepEqual(await takeover.use("wasps@1"), { to: "wasps@1", runMs: 5, probationMs, notes: [] });
    assert.deepEqual([vision.current, nameOf(await store.current())], ["wasps@1", "wasps@1"]);
    assert.deepEqual(takeover.probation(), { model: "wasps@1", leftMs: probationMs });
    vision.looks(100, { kind: "seen", runMs: 5_000 });
    await passes(clock, () => takeover.probation() === undefined, "trust");
    await until(() => log.lines.length === 2, "a line of it");
    assert.deepEqual(
      log.lines.map(({ event }) => event),
      ["model.switched", "model.trusted"],
    );
    assert.deepEqual((await takeover.use("wasps@1")).notes, ["it was in use already"]);
    const second = await takeover.use("wasps@2");
    assert.deepEqual([second.from, second.to], ["wasps@1", "wasps@2"]);
    const back = await takeover.rollback();
    assert.deepEqual([back.from, back.to, back.probationMs, back.notes], ["wasps@2", "wasps@1", 0, []]);
    assert.deepEqual([vision.current, nameOf(await store.current())], ["wasps@1", "wasps@1"]);
    assert.equal(takeover.probation(), undefined);
    assert.equal(takeover.lastRollback(), undefined);
    await takeover.stop();
  });

  it("goes back to the one an operator had before, trusted or not, and by itself only to a trusted one", async () => {
    await using folder = await tempFolder();
    const { vision, store, takeover } = await life(folder.path);
    for (const version of ["1", "2", "3"]) await install(store, version);
    await takeover.use("wasps@1");
    await takeover.use("wasps@2");
    const back = await takeover.rollback();
    assert.deepEqual([back.from, back.to, back.notes], ["wasps@2", "wasps@1", []]);
    assert.deepEqual([vision.current, nameOf(await store.current())], ["wasps@1", "wasps@1"]);
    await takeover.use("wasps@2");
    await takeover.use("wasps@3");
    await store.remove({ name: "wasps", version: "2" });
    assert.equal((await takeover.rollback()).to, "wasps@1");
    await takeover.stop();
  });

  it("stays when another does not load, does not stand its proof, is not there, or the config names it", async () => {
    await using folder = await tempFolder();
    const prove = async () => {
      throw new AgentError("MODEL_DEAD", "it finds nothing", { disposition: "fatal" });
    };
    const { vision, store, takeover } = await life(folder.path, { prove });
    await install(store, "1");
    await assert.rejects(takeover.use("wasps"), { code: "MODEL_DEAD" });
    vision.broken.add("wasps@1");
    await assert.rejects(takeover.use("wasps"), { code: "MODEL_FAILED" });
    await assert.rejects(takeover.use("hornets"), { code: "MODEL_NOT_FOUND" });
    await assert.rejects(takeover.use("../wasps"), { code: "MODEL_NOT_FOUND" });
    await assert.rejects(takeover.rollback(), { code: "MODEL_NO_PREVIOUS" });
    assert.deepEqual([vision.current, await store.current()], ["tiny-end-to-end", undefined]);
    assert.deepEqual(vision.discarded, ["wasps@1"]);
    assert.equal(takeover.books.read().probation, undefined);
    await takeover.stop();
    const pinned = await life(folder.path, { pinnedTo: "./own.onnx" });
    await assert.rejects(pinned.takeover.use("wasps"), {
      code: "MODEL_PINNED",
      message: /detector\.model: \.\/own\.onnx/,
    });
    await assert.rejects(pinned.takeover.rollback(), { code: "MODEL_PINNED" });
    await pinned.takeover.stop();
  });

  for (const { what, bad, why } of [
    {
      what: "its pictures fail",
      bad: (vision: FakeSwitch) => {
        vision.looks(100, { kind: "seen", runMs: 5 });
        const error = new AgentError("MODEL_FAILED", "no", { disposition: "retry" });
        vision.looks(12, { kind: "failed", error });
      },
      why: "12 of 112 pictures failed (MODEL_FAILED)",
    },
    {
      what: "it is too slow",
      bad: (vision: FakeSwitch) => vision.looks(20, { kind: "seen", runMs: 201 }),
      why: "a run takes 201.0 ms, and may take 200.0 ms",
    },
    {
      what: "its process ends three times",
      bad: (vision: FakeSwitch) => (vision.restarts += 3),
      why: "its process ended 3 times",
    },
  ]) {
    it(`goes back by itself when ${what}, and its release is not taken again`, async () => {
      await using folder = await tempFolder();
      const { clock, log, vision, store, takeover } = await life(folder.path);
      vision.restarts = 5;
      await install(store, "1");
      await install(store, "2");
      await takeover.use("wasps@1");
      await passes(clock, () => takeover.probation() === undefined, "trust");
      const [model] = (await store.list()).slice(-1);
      assert.ok(model !== undefined);
      await takeover.bringIn(model, arrival);
      assert.equal(vision.current, "wasps@2");
      // These are none of its faults.
      for (const code of ["IMAGE_CORRUPT", "VISION_UNAVAILABLE"]) {
        vision.looks(90, { kind: "failed", error: new AgentError(code, "no", { disposition: "retry" }) });
      }
      await clock.run(10_000);
      assert.equal(vision.current, "wasps@2");
      bad(vision);
      await passes(clock, () => takeover.lastRollback() !== undefined, "going back");
      assert.equal(takeover.lastRollback(), `wasps@2 went back to wasps@1: ${why}`);
      assert.deepEqual([vision.current, nameOf(await store.current())], ["wasps@1", "wasps@1"]);
      const { probation, refused } = takeover.books.read();
      assert.equal(probation, undefined);
      assert.deepEqual(refused, [
        { ...{ contentId: arrival.contentId, sequence: 7, model: "wasps@2", why }, atMs: refused[0]?.atMs },
      ]);
      assert.equal(log.lines.at(-1)?.event, "model.rolled_back");
      await takeover.stop();
    });
  }

  it("goes back to the one that ships when the one before is gone, or does not load any more", async () => {
    await using folder = await tempFolder();
    const { clock, log, vision, store, takeover } = await life(folder.path);
    for (const version of ["1", "2", "3"]) await install(store, version);
    await takeover.use("wasps@1");
    await passes(clock, () => takeover.probation() === undefined, "trust");
    await takeover.use("wasps@2");
    vision.broken.add("wasps@1");
    vision.restarts += 3;
    await passes(clock, () => takeover.lastRollback() !== undefined, "going back");
    assert.deepEqual([vision.current, await store.current()], ["tiny-end-to-end", undefined]);
    assert.equal(log.lines.at(-1)?.fields["missing"], "wasps@1");

    await takeover.use("wasps@3");
    await passes(clock, () => takeover.probation() === undefined, "trust");
    const previous = await store.previous();
    if (previous !== undefined) await store.remove(previous);
    const { to, notes } = await takeover.rollback();
    assert.deepEqual([to, notes.length, await store.current()], ["tiny-end-to-end", 1, undefined]);
    await takeover.stop();
  });

  it("is tried again and again to be replaced when nothing loads", async () => {
    await using folder = await tempFolder();
    const { clock, log, vision, store, takeover } = await life(folder.path);
    await install(store, "1");
    await takeover.use("wasps");
    vision.broken.add("tiny-end-to-end");
    vision.restarts += 3;
    const stuck = () => log.lines.filter(({ event }) => event === "model.rollback_failed").length;
    await passes(clock, () => stuck() === 2, "two tries");
    assert.deepEqual([vision.current, nameOf(await store.current())], ["wasps@1", "wasps@1"]);
    vision.broken.clear();
    await passes(clock, () => takeover.lastRollback() !== undefined, "going back");
    assert.equal(vision.current, "tiny-end-to-end");
    await takeover.stop();
  });

  it("leaves no second process behind when the links cannot be changed, and goes back once they can", async () => {
    await using folder = await tempFolder();
    const { clock, log, vision, store, takeover } = await onProbation(folder.path);
    const blocked = await block(join(store.folder, "previous"));
    await assert.rejects(takeover.rollback(), { code: "MODEL_STORE" });
    assert.deepEqual(vision.discarded, ["wasps@1"]);
    vision.restarts += 3;
    const stuck = () => log.lines.filter(({ event }) => event === "model.rollback_failed").length;
    await passes(clock, () => stuck() === 2, "two tries");
    assert.deepEqual(vision.discarded, ["wasps@1", "wasps@1", "wasps@1"]);
    assert.equal(vision.current, "wasps@2");
    await blocked.free();
    await passes(clock, () => takeover.lastRollback() !== undefined, "going back");
    assert.deepEqual([vision.current, nameOf(await store.current())], ["wasps@1", "wasps@1"]);
    await takeover.stop();
  });

  it("goes back while it runs when the links could not be changed at the start", async () => {
    await using folder = await tempFolder();
    const { store, takeover } = await onProbation(folder.path);
    await takeover.stop();
    const { probation } = takeover.books.read();
    assert.ok(probation !== undefined);
    await takeover.books.update((now) => ({ ...now, probation: { ...probation, failed: "too slow" } }));
    const blocked = await block(join(store.folder, "previous"));
    const next = await life(folder.path);
    assert.deepEqual([next.startWith, next.vision.current], [undefined, "wasps@2"]);
    await blocked.free();
    await passes(next.clock, () => next.takeover.lastRollback() !== undefined, "going back");
    assert.equal(next.takeover.lastRollback(), "wasps@2 went back to wasps@1: too slow");
    assert.equal(next.vision.current, "wasps@1");
    await next.takeover.stop();
  });

  it("is trusted as soon as that can be written down", async () => {
    await using folder = await tempFolder();
    const { clock, log, takeover } = await onProbation(folder.path);
    const blocked = await block(join(folder.path, "state", "models.json"));
    await passes(clock, () => log.lines.some(({ event }) => event === "model.trust_failed"), "a try");
    assert.equal(takeover.probation()?.model, "wasps@2");
    await blocked.free();
    await passes(clock, () => takeover.probation() === undefined, "trust");
    await takeover.stop();
  });

  it("needs no second probation when an operator chooses the trusted one again", async () => {
    await using folder = await tempFolder();
    const { vision, store, takeover } = await onProbation(folder.path);
    const { from, to, probationMs: left } = await takeover.use("wasps@1");
    assert.deepEqual([from, to, left, vision.current], ["wasps@2", "wasps@1", 0, "wasps@1"]);
    assert.deepEqual([takeover.probation(), takeover.books.read().probation], [undefined, undefined]);
    assert.equal(nameOf(await store.current()), "wasps@1");
    await takeover.stop();
  });

  it("is sent back before vision starts when three agents in a row were killed under it", async () => {
    await using folder = await tempFolder();
    const first = await life(folder.path);
    await install(first.store, "1");
    await first.takeover.use("wasps");
    for (const kills of [1, 2]) {
      const next = await life(folder.path);
      assert.deepEqual([next.startWith, next.vision.current], [undefined, "wasps@1"], `${kills} kills`);
      assert.ok(next.takeover.probation() !== undefined);
    }
    // An end as it should be is no sign of anything.
    for (let stops = 0; stops < 5; stops += 1) {
      const next = await life(folder.path);
      assert.equal(next.startWith, stops === 0 ? "tiny-end-to-end" : undefined);
      if (stops === 0) {
        assert.match(next.takeover.lastRollback() ?? "", /the agent ended 3 times without a stop/);
        assert.equal(await next.store.current(), undefined);
        await next.takeover.use("wasps");
      }
      await next.takeover.stop();
      await next.takeover.endedWell();
    }
    const last = await life(folder.path);
    assert.equal(last.vision.current, "wasps@1");
    await last.takeover.stop();
  });

  it("is what the links say after a crash at any step, and a condemned one goes", async () => {
    await using folder = await tempFolder();
    const { store, takeover } = await life(folder.path);
    for (const version of ["1", "2"]) await install(store, version);
    await takeover.use("wasps@1");
    await takeover.stop();
    // Between the books and the links: the old one stays, and nothing is on probation.
    await takeover.books.update((now) => ({
      ...now,
      probation: { model: { name: "wasps", version: "2" }, badEnds: 0, isRunning: true },
    }));
    const old = await life(folder.path);
    assert.deepEqual([old.vision.current, old.takeover.probation()], ["wasps@1", undefined]);
    await old.takeover.stop();
    // Condemned, and killed before the links were changed.
    await old.takeover.books.update((now) => ({
      ...now,
      probation: { model: { name: "wasps", version: "1" }, badEnds: 0, isRunning: true, failed: "too slow" },
    }));
    const condemned = await life(folder.path);
    assert.equal(condemned.startWith, "tiny-end-to-end");
    assert.match(condemned.takeover.lastRollback() ?? "", /: too slow$/);
    await condemned.takeover.stop();
  });

  it("stays as it is when its books cannot be read; and they stay for somebody to look at", async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, "state", "models.json");
    await mkdir(join(folder.path, "state"));
    await writeFile(path, "{");
    const { log, store, takeover, vision } = await life(folder.path);
    assert.equal(log.lines[0]?.event, "model.books_unusable");
    await install(store, "1");
    await assert.rejects(takeover.use("wasps"), { code: "MODEL_BOOKS" });
    assert.equal(vision.current, "tiny-end-to-end");
    assert.equal(await readFile(path, "utf8"), "{");
    await takeover.stop();
  });
});
