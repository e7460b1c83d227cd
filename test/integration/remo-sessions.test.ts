import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { remoFaults } from "../../src/sandbox/remo/faults.ts";
import { settleAll } from "../contract/target-rounds.ts";
import { inWords } from "../lib/outcome-words.ts";
import { batch, carriedOn, nameOf, RemoBench } from "../lib/remo-bench.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";

describe("remo target and what a session says", () => {
  for (const doneWithFailed of [true, false]) {
    it(`judges each file by itself when the session is ${doneWithFailed ? "done" : "failed"}`, async () => {
      await using bench = await RemoBench.make();
      const { switches } = bench.sandbox;
      switches.doneWithFailed = doneWithFailed;
      switches.failing.set(nameOf(2), "Failed to upload image, error: cannot identify image file");
      switches.failing.set(nameOf(3), "File format not supported");
      assert.deepEqual((await bench.deliver(batch(4))).map(inWords), [
        "accepted",
        "record REMO_FILE_FAILED",
        "rejected REMO_FILE_REFUSED",
        "accepted",
      ]);
    });
  }

  it("blames itself when every picture fails, as on a full disk", async () => {
    await using bench = await RemoBench.make();
    for (const sequence of [1, 2]) bench.sandbox.switches.failing.set(nameOf(sequence), "Failed, error: disk");
    assert.deepEqual((await bench.deliver(batch(2))).map(inWords), Array(2).fill("target? REMO_SESSION_FAILED"));
    bench.sandbox.switches.failing.set(nameOf(1), "Failed, error: [Errno 28] No space left on device");
    assert.deepEqual((await bench.deliver(batch(1))).map(inWords), ["target? REMO_SESSION_FAILED"]);
  });

  it("takes a name that the dataset has for what it sent before", async () => {
    await using bench = await RemoBench.make();
    await bench.deliver(batch(2));
    await bench.memory.write({});
    await bench.restart();
    assert.deepEqual((await bench.deliver(batch(3))).map(inWords), Array(3).fill("accepted"));
    assert.deepEqual(
      bench.holdings().map(([, , kept, labels]) => [kept, labels]),
      Array(3).fill([1, 1]),
    );
  });

  it("passes over a status that is an empty object", async () => {
    await using bench = await RemoBench.make();
    bench.sandbox.switches.emptyStatuses = 1;
    assert.deepEqual((await bench.deliver(batch(1))).map(inWords), ["accepted"]);
  });

  it("does not believe a session that a picture got lost in", async () => {
    await using bench = await RemoBench.make();
    bench.sandbox.switches.vanishing.add(nameOf(2));
    const outcomes = await bench.deliver(batch(3));
    assert.deepEqual(outcomes.map(inWords), ["accepted", "target? REMO_SESSION_FAILED", "accepted"]);
    bench.sandbox.switches.vanishing.clear();
    await settleAll(bench.target, carriedOn(batch(3), outcomes));
    assert.deepEqual(
      bench.holdings().map(([, received]) => received),
      [1, 2, 1],
    );
  });

  it("notices when a session takes files with 200 and drops them", async () => {
    await using bench = await RemoBench.make();
    bench.sandbox.switches.completedSession = "dropped";
    bench.sandbox.switches.completedAtOnce = true;
    assert.deepEqual((await bench.deliver(batch(2))).map(inWords), Array(2).fill("target? REMO_SESSION_FAILED"));
  });

  it("sends the annotations alone when only they were refused", async () => {
    await using bench = await RemoBench.make();
    bench.sandbox.switches.annotationsError = "Annotation format not recognised";
    const outcomes = await bench.deliver(batch(2));
    assert.deepEqual(outcomes.map(inWords), Array(2).fill("target? REMO_SESSION_FAILED"));
    bench.sandbox.switches.annotationsError = undefined;
    const again = await bench.deliver(carriedOn(batch(2), outcomes));
    assert.deepEqual(again.map(inWords), ["accepted", "accepted"]);
    assert.deepEqual(
      bench.holdings().map(([, ...counts]) => counts),
      Array(2).fill([1, 1, 1]),
    );
  });

  it("looks again later at a session that takes its time, and sends nothing twice", async () => {
    await using bench = await RemoBench.make({ sessionTimeout: "1s" });
    bench.sandbox.switches.progressPolls = 8;
    let pending = batch(2);
    let looks = 0;
    for (; pending.length > 0 && looks < 20; looks += 1) {
      const outcomes = await bench.deliver(pending);
      for (const outcome of outcomes) {
        if (outcome.kind !== "retry") continue;
        assert.match(inWords(outcome), /^record REMO_PENDING after \d+$/);
        assert.ok((outcome.cursor ?? "").length <= 512);
      }
      pending = carriedOn(pending, outcomes);
    }
    assert.ok(looks > 2 && pending.length === 0);
    assert.deepEqual(
      bench.holdings().map(([, ...counts]) => counts),
      Array(2).fill([1, 1, 1]),
    );
  });

  it("gives a session up that never moves, blames the target, and finds by name what is there", async () => {
    await using bench = await RemoBench.make({ sessionTimeout: "1s" });
    bench.sandbox.switches.neverFinishes = true;
    let pending = batch(2);
    const words: string[] = [];
    // The server's worker died between the two pictures.
    const picture = { sha256: pending[0]?.record.imageSha256 ?? "", width: 64, height: 48, sizeBytes: 512 };
    bench.sandbox.world.addPicture({ datasetId: 1, folderId: undefined, name: nameOf(1) }, picture, undefined);
    for (let looks = 0; looks < 8 && words.at(-1) !== "target? REMO_STUCK"; looks += 1) {
      const outcomes = await bench.deliver(pending);
      words.push(inWords(outcomes[0] ?? { kind: "accepted" }));
      pending = carriedOn(pending, outcomes);
    }
    assert.deepEqual(words.at(-1), "target? REMO_STUCK");
    assert.deepEqual(
      pending.map(({ cursor }) => cursor),
      ["labels", undefined],
    );
    bench.sandbox.switches.neverFinishes = false;
    for (const session of bench.sandbox.sessions.list())
      if (session.status === "in progress") bench.sandbox.sessions.process(session);
    const endings = await settleAll(bench.target, pending);
    assert.ok([...endings.values()].every(({ kind }) => kind === "accepted"));
    assert.deepEqual(
      bench.holdings().map(([, , kept, labels]) => [kept, labels]),
      Array(2).fill([1, 1]),
    );
  });

  it("remembers a session that is worked on rather than newer ones that have ended", async () => {
    await using bench = await RemoBench.make({ sessionTimeout: "1s" });
    bench.sandbox.switches.neverFinishes = true;
    await bench.deliver(batch(1));
    bench.sandbox.switches.neverFinishes = false;
    for (const delivery of batch(7).slice(1)) await bench.deliver([delivery]);
    assert.ok(JSON.stringify(bench.memory.value).includes(`"${nameOf(1)}"`));
  });

  it("looks for its set anew when the one that it used is gone", async () => {
    await using bench = await RemoBench.make();
    await bench.deliver(batch(1));
    bench.sandbox.world.sets.clear();
    const next = batch(2).slice(1);
    assert.deepEqual((await bench.deliver(next)).map(inWords), ["target HTTP_404"]);
    assert.deepEqual((await bench.deliver(next)).map(inWords), ["accepted"]);
    assert.equal(bench.holdings().at(-1)?.[3], 1);
  });

  it("opens no more sessions than it can remember while the server finishes none", async () => {
    await using bench = await RemoBench.make({ sessionTimeout: "1s" });
    bench.sandbox.switches.neverFinishes = true;
    const words: string[] = [];
    for (let sequence = 1; sequence <= 6; sequence += 1) {
      words.push(...(await bench.deliver([sampleDelivery(sequence, sampleJpeg(sequence))])).map(inWords));
    }
    assert.deepEqual(words.slice(4), Array(2).fill("target REMO_BUSY after 15000"));
    assert.equal(bench.sandbox.sessions.list().length, 4);
    assert.ok(JSON.stringify(bench.memory.value).length < 16 * 1024);
  });
});

describe("remo target under a fault at any step", () => {
  const steps = {
    login: /login\/$/,
    "list of sets": /GET .*annotation-sets\/$/,
    "new set": /POST .*annotation-sets\/$/,
    "new session": /POST .*uploads\/$/,
    upload: /upload\/$/,
    completion: /complete\/$/,
    status: /status\/$/,
  };
  for (const name of ["server-error-500", "reset-after-store", "not-json"] as const) {
    it(`${name}: every picture arrives once and is labelled once`, async () => {
      for (const [step, on] of Object.entries(steps)) {
        await using bench = await RemoBench.make();
        bench.sandbox.switches.duplicates = "kept";
        bench.sandbox.fault(remoFaults[name], 1, on);
        const endings = await settleAll(bench.target, batch(3));
        assert.ok(
          [...endings.values()].every(({ kind }) => kind === "accepted"),
          step,
        );
        assert.deepEqual(
          bench.holdings().map(([, , kept, labels]) => [kept, labels]),
          Array(3).fill([1, 1]),
          step,
        );
      }
    });
  }
});

describe("remo target killed between its steps", () => {
  for (const stores of [true, false]) {
    it(`has every picture once and labelled once, whichever request was the last ${stores ? "to arrive" : "to be lost"}`, async () => {
      // Login, sets, new set, session, pictures, CSV, complete, and the first looks at the status.
      for (let last = 1; last <= 9; last += 1) {
        await using bench = await RemoBench.make();
        bench.sandbox.switches.duplicates = "kept";
        let requests = 0;
        const dying = new AbortController();
        bench.sandbox.fault({ kind: "late", delayMs: 0 }, last - 1);
        bench.sandbox.fault({ kind: "hang", stores }, Infinity);
        const death = setInterval(() => {
          requests = bench.sandbox.counts().requests;
          if (requests >= last) dying.abort();
        }, 2);
        await bench.deliver(batch(3), dying.signal);
        clearInterval(death);
        bench.sandbox.heal();
        await bench.restart();
        const endings = await settleAll(bench.target, batch(3));
        assert.ok(
          [...endings.values()].every(({ kind }) => kind === "accepted"),
          `killed at request ${last}`,
        );
        assert.deepEqual(
          bench.holdings().map(([, , kept, labels]) => [kept, labels]),
          Array(3).fill([1, 1]),
          `killed at request ${last}`,
        );
        assert.deepEqual(bench.sandbox.violations(), []);
      }
    });
  }

  it("asks for each picture by name when the session's others were dealt with before, and loses none", async () => {
    await using bench = await RemoBench.make();
    // Two requests of two pictures each, of which the second never arrives. Its pictures show nothing.
    const all = [{}, {}, { detections: [] }, { detections: [] }].map((changes, at) =>
      sampleDelivery(at + 1, sampleJpeg(at + 1, 3_500_000), changes),
    );
    bench.sandbox.fault({ kind: "late", delayMs: 0 }, 1, /upload\/$/);
    bench.sandbox.fault({ kind: "hang", stores: false }, 1, /upload\/$/);
    const dying = new AbortController();
    const death = setInterval(() => {
      if (bench.sandbox.counts().requests >= 6) dying.abort();
    }, 2);
    await bench.deliver(all, dying.signal);
    clearInterval(death);
    await bench.restart();
    const words: string[] = [];
    for (const delivery of all) words.push(...(await bench.deliver([delivery])).map(inWords));
    // The first two are there without their annotations; that their session counts two says nothing of the others.
    assert.deepEqual(words, ["record REMO_PENDING", "record REMO_PENDING", "accepted", "accepted"]);
    assert.deepEqual(
      bench.holdings().map(([name, received]) => [name, received]),
      [1, 2, 3, 4].map((each) => [nameOf(each), 1]),
    );
    assert.deepEqual(bench.sandbox.violations(), []);
  });

  it("sends annotations again where the memory of a session is lost, rather than believing that they went", async () => {
    await using bench = await RemoBench.make({ sessionTimeout: "1s" });
    const { switches } = bench.sandbox;
    switches.progressPolls = 100;
    bench.sandbox.fault(remoFaults["reset-after-store"], 1, /upload\/$/);
    const all = [1, 2, 3].map((each) => sampleDelivery(each, sampleJpeg(each, 3_500_000)));
    const first = await bench.deliver(all);
    assert.deepEqual(first.map(inWords), ["target? NET_RESET", "target? NET_RESET", "record REMO_PENDING after 15000"]);
    const pending = carriedOn(all, first);
    const second = await bench.deliver(pending);
    assert.ok(second.every((outcome) => outcome.kind === "retry" && outcome.error.code === "REMO_PENDING"));
    await bench.memory.write({});
    await bench.restart();
    switches.progressPolls = 0;
    const endings = await settleAll(bench.target, carriedOn(pending, second));
    assert.ok([...endings.values()].every(({ kind }) => kind === "accepted"));
    assert.deepEqual(
      bench.holdings().map(([, ...counts]) => counts),
      Array(3).fill([1, 1, 1]),
    );
  });

  it("believes nothing of sessions that another dataset had", async () => {
    await using bench = await RemoBench.make();
    await bench.deliver(batch(1));
    const { id } = bench.sandbox.world.addDataset("another");
    const target = bench.makeTarget({ datasetId: id });
    const endings = await settleAll(target, batch(1));
    await target.close();
    assert.ok([...endings.values()].every(({ kind }) => kind === "accepted"));
    assert.ok(bench.sandbox.world.pictureNamed(id, nameOf(1)) !== undefined);
  });

  it("finds its pictures by name where the server has lost the session", async () => {
    await using bench = await RemoBench.make();
    await bench.deliver(batch(2));
    bench.sandbox.sessions.lose();
    bench.sandbox.switches.duplicates = "kept";
    await bench.restart();
    const endings = await settleAll(bench.target, batch(3));
    assert.equal(endings.size, 3);
    assert.deepEqual(
      bench.holdings().map(([, received, kept, labels]) => [received, kept, labels]),
      Array(3).fill([1, 1, 1]),
    );
  });

  for (const nonsense of [null, 7, { sessions: 5 }, { place: "x", sessions: [{ id: "../..", names: [1] }] }]) {
    it(`survives ${JSON.stringify(nonsense)} in its memory`, async () => {
      await using bench = await RemoBench.make();
      bench.memory.read = () => Promise.resolve(nonsense);
      await bench.restart();
      assert.deepEqual((await bench.deliver(batch(1))).map(inWords), ["accepted"]);
    });
  }
});
