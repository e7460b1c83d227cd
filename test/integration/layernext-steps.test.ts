import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { layernextFaults } from "../../src/sandbox/layernext/faults.ts";
import { deliveries, LayernextBench, outcomesOf, steps, words } from "../lib/layernext-bench.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";

let bench: LayernextBench;

async function begin(options: ConstructorParameters<typeof LayernextBench>[0] = {}): Promise<void> {
  bench = new LayernextBench(options);
  await bench.start();
}

/** A process that is killed, or whose power is cut, writes nothing down any more. */
class MemoryUntilCut extends MemoryForTarget {
  isCutOff = (): boolean => false;
  writes = 0;

  override async write(value: object): Promise<void> {
    if (this.isCutOff()) return;
    this.writes += 1;
    await super.write(value);
  }
}

/** The first of `deliveries`, in a copy of twice the width and height. */
function ofTwiceTheSize() {
  const box = { left: 8, top: 4, width: 40, height: 18 };
  return sampleDelivery(1, sampleJpeg(9), { imageWidth: 128, imageHeight: 96, detections: [sampleDetection({ box })] });
}

/** The request number `at`, from 0, is the last thing that the process does. */
async function beginCutOff(at: number, stores: boolean) {
  await bench.stop();
  const memory = new MemoryUntilCut();
  bench = new LayernextBench({}, memory);
  await bench.start();
  if (at > 0) bench.sandbox.fault({ kind: "late", delayMs: 0 }, at);
  bench.sandbox.fault({ kind: "reset-late", stores });
  memory.isCutOff = () => bench.sandbox.counts().requests > at;
  const finalizing = () => [4, 7].includes(at);
  return { memory, finalizing };
}

describe("LayerNext target, step by step", () => {
  beforeEach(() => begin());
  afterEach(() => bench.stop());

  it("repeats only the finalizing when that fails once", async () => {
    bench.sandbox.fault(layernextFaults["server-error-500"], 1, steps.finalize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
    assert.equal(bench.puts(), 2);
    assert.equal(bench.count("finalizeMultipartUpload"), 3);
  });

  it("goes on with the finalizing alone after a kill, however often it failed", async () => {
    bench.sandbox.fault(layernextFaults["server-error-500"], 2, steps.finalize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? HTTP_500"]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.puts(), 1);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
  });

  it("begins a file anew that cannot be finalized, instead of trying for ever", async () => {
    bench.sandbox.fault(layernextFaults["server-error-500"], 3, steps.finalize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? HTTP_500"]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? HTTP_500"]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
    assert.equal(bench.puts(), 2);
  });

  it("sends no file again that was finalized although the server said that it failed", async () => {
    bench.sandbox.fault({ kind: "answer", status: 500, stores: true }, 1, steps.finalize);
    bench.sandbox.fault(layernextFaults["server-error-500"], 2, steps.finalize);
    for (let at = 0; at < 2; at += 1) await outcomesOf(bench.target(), deliveries(1));
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.puts(), 1);
  });

  it("begins anew when an upload cannot be completed a second time", async () => {
    bench.sandbox.fault({ kind: "answer", status: 500, stores: true }, 2, steps.complete);
    for (let at = 0; at < 2; at += 1) {
      assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), Array(2).fill("target? HTTP_500"));
    }
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
    assert.equal(bench.count("uploadMetadataInCollection"), 2);
    assert.equal(bench.puts(), 2);
  });

  it("blames a file for no 406, which speaks of the server", async () => {
    for (const step of ["initialize", "sign", "finalize"] as const) {
      await bench.stop();
      await begin();
      bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps[step]);
      assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? UPLOAD_REFUSED"], step);
      assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"], step);
    }
  });

  it("does not believe a finalizing whose 200 says no", async () => {
    bench.sandbox.fault(layernextFaults["no-success-200"], 1, steps.finalize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? PLATFORM_FAILED"]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.puts(), 1);
    assert.deepEqual(bench.sandbox.violations(), []);
  });

  const requestsOfTwo = 12;
  for (const stores of [true, false]) {
    it(`comes through a kill ${stores ? "after" : "before"} each of its requests without a second PUT`, async () => {
      for (let at = 0; at < requestsOfTwo; at += 1) {
        await bench.stop();
        await begin();
        if (at > 0) bench.sandbox.fault({ kind: "late", delayMs: 0 }, at);
        bench.sandbox.fault({ kind: "reset-late", stores });
        const first = words(await outcomesOf(bench.target(), deliveries(2)));
        assert.ok(
          first.every((outcome) => outcome.startsWith("target")),
          `request ${at}: ${first.join()}`,
        );
        assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
        assert.equal(bench.puts(), 2, `request ${at}`);
        assert.deepEqual(
          bench.sandbox.annotations().map(({ shapes }) => shapes.length),
          [1, 1],
        );
        assert.deepEqual(bench.sandbox.violations(), []);
      }
    });
  }

  for (const stores of [true, false]) {
    it(`sends nothing again that was finalized when it is cut off without a last word ${stores ? "after" : "before"} any request`, async () => {
      for (let at = 0; at < requestsOfTwo; at += 1) {
        const { memory, finalizing } = await beginCutOff(at, stores);
        await outcomesOf(bench.target(), deliveries(2));
        memory.isCutOff = () => false;
        assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
        const unfinished = finalizing() && !stores ? 1 : 0;
        assert.equal(bench.puts(), 2 + unfinished, `request ${at}`);
        assert.equal(bench.sandbox.annotations().length, 2);
        assert.ok(bench.sandbox.stored().every(({ times }) => times === 1));
        assert.deepEqual(bench.sandbox.violations(), []);
      }
    });
  }

  it("fits a model run to the copy that the server has, also after a cut without a last word", async () => {
    const { memory } = await beginCutOff(4, true);
    await outcomesOf(bench.target(), deliveries(1));
    memory.isCutOff = () => false;
    assert.deepEqual(words(await outcomesOf(bench.target(), [ofTwiceTheSize()])), ["accepted"]);
    assert.deepEqual(bench.sandbox.annotations()[0]?.shapes[0]?.box, { x: 4, y: 2, w: 20, h: 9 });
    assert.equal(bench.puts(), 1);
  });

  it("fits it in a new upload too, when the one that was cut off cannot be finished", async () => {
    const { memory } = await beginCutOff(5, true);
    await outcomesOf(bench.target(), deliveries(2));
    memory.isCutOff = () => false;
    assert.deepEqual(words(await outcomesOf(bench.target(), [ofTwiceTheSize()])), ["accepted"]);
    assert.equal(bench.count("uploadMetadataInCollection"), 2);
    assert.deepEqual(bench.sandbox.annotations()[0]?.shapes[0]?.box, { x: 4, y: 2, w: 20, h: 9 });
    assert.equal(bench.puts(), 1);
  });

  it("knows which copy went last, when the first was cut off before it was finalized", async () => {
    const { memory } = await beginCutOff(4, false);
    await outcomesOf(bench.target(), [ofTwiceTheSize()]);
    const after = bench.sandbox.counts().requests;
    // The label, initialize, the address, and the finalizing of the other copy.
    memory.isCutOff = () => bench.sandbox.counts().requests >= after + 4;
    bench.sandbox.fault({ kind: "reset-late", stores: true }, 1, steps.finalize);
    await outcomesOf(bench.target(), deliveries(1));
    memory.isCutOff = () => false;
    assert.deepEqual(words(await outcomesOf(bench.target(), [ofTwiceTheSize()])), ["accepted"]);
    assert.deepEqual(bench.sandbox.annotations()[0]?.shapes[0]?.box, { x: 4, y: 2, w: 20, h: 9 });
  });

  it("writes to its memory twice for a batch that nothing befalls", async () => {
    const { memory } = await beginCutOff(1e6, true);
    bench.sandbox.heal();
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(8))), Array(8).fill("accepted"));
    assert.equal(memory.writes, 2);
  });

  it("sends a file again that was cut off on its way to the storage, and only that", async () => {
    bench.sandbox.storage.fault({ kind: "late", delayMs: 0 });
    bench.sandbox.storage.fault({ kind: "reset-late", stores: true });
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(3))), [
      "target BATCH_INTERRUPTED",
      "target? NET_RESET",
      "target BATCH_INTERRUPTED",
    ]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(3))), Array(3).fill("accepted"));
    assert.deepEqual(
      bench.sandbox.stored().map(({ sha256 }) => bench.sandbox.storage.putsOf(sha256)),
      [1, 2, 1],
    );
  });

  it("ends a call in time on a slow line, one file at a time, and goes on where it was", async () => {
    const target = bench.target({}, { callMs: -1e9 });
    let batch = deliveries(3);
    for (let open = 2; open > 0; open -= 1) {
      const outcomes = await outcomesOf(target, batch);
      assert.deepEqual(words(outcomes), Array(3).fill("record UPLOAD_PAUSED after 0"));
      batch = batch.map((delivery, at) => {
        const outcome = outcomes[at];
        assert.ok(outcome?.kind === "retry" && outcome.cursor !== undefined && outcome.cursor !== delivery.cursor);
        return { ...delivery, cursor: outcome.cursor };
      });
    }
    const last = await outcomesOf(target, batch);
    assert.deepEqual(words(last), Array(3).fill("record JOB_PENDING after 15000"));
    assert.equal(bench.puts(), 3);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
  });

  it("keeps a paused upload from being replaced by that of others", async () => {
    const target = bench.target({}, { callMs: -1e9 });
    await outcomesOf(target, deliveries(3));
    const five = await outcomesOf(target, deliveries(5));
    assert.deepEqual(words(five), Array(5).fill("record UPLOAD_PAUSED after 0"));
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(5))), Array(5).fill("accepted"));
    assert.equal(bench.puts(), 5);
  });

  it("counts the time before the first file too", async () => {
    const [first, second] = deliveries(2);
    assert.ok(first !== undefined && second !== undefined);
    const slow = {
      ...second.record,
      /** Read for its label references. */
      get detections() {
        bench.clock.advance(60_000);
        return [];
      },
    };
    const outcomes = await outcomesOf(bench.target(), [first, { ...second, record: slow }]);
    assert.deepEqual(words(outcomes), Array(2).fill("record UPLOAD_PAUSED after 0"));
  });

  it("fits a model run to the copy that the server has, when another one is at hand after a kill", async () => {
    bench.sandbox.fault({ kind: "reset-late", stores: true }, 1, steps.complete);
    await outcomesOf(bench.target(), deliveries(1));
    const box = { left: 8, top: 4, width: 40, height: 18 };
    const twice = { imageWidth: 128, imageHeight: 96, detections: [sampleDetection({ box })] };
    assert.deepEqual(words(await outcomesOf(bench.target(), [sampleDelivery(1, sampleJpeg(9), twice)])), ["accepted"]);
    assert.deepEqual(bench.sandbox.annotations()[0]?.shapes[0]?.box, { x: 4, y: 2, w: 20, h: 9 });
    assert.equal(bench.puts(), 1);
  });

  it("begins anew with what is at hand when a file of the open upload is gone", async () => {
    bench.sandbox.fault({ kind: "reset-late", stores: true }, 1, steps.complete);
    bench.sandbox.storage.fault({ kind: "late", delayMs: 0 });
    bench.sandbox.storage.fault({ kind: "reset-late", stores: false });
    await outcomesOf(bench.target(), deliveries(2));
    const [first] = deliveries(1);
    assert.ok(first !== undefined);
    bench.sandbox.heal();
    assert.deepEqual(words(await outcomesOf(bench.target(), [first])), ["accepted"]);
    assert.equal(bench.puts(), 1, "what is finalized is not sent again");
    assert.deepEqual(bench.sandbox.violations(), [], "the upload without its second file is not completed");
  });

  it("completes an upload once, also when it is killed while it waits for the job", async () => {
    bench.sandbox.fault({ kind: "reset-early" }, 1, steps.job);
    await outcomesOf(bench.target(), deliveries(2));
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
    assert.equal(bench.count("complete"), 1);
  });

  it("begins anew when the server has forgotten the open upload", async () => {
    bench.sandbox.fault({ kind: "reset-early" }, 1, steps.sign);
    await outcomesOf(bench.target(), deliveries(1));
    bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps.initialize);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.count("uploadMetadataInCollection"), 2);
  });

  it("survives nonsense in its memory, and what another collection left there", async () => {
    for (const value of [null, 7, "x", [], { files: 1 }, { account: "x", upload: {}, files: {}, completed: true }]) {
      const memory = new MemoryForTarget(value);
      const other = new LayernextBench({}, memory);
      await other.start();
      assert.deepEqual(words(await outcomesOf(other.target(), deliveries(1))), ["accepted"]);
      assert.deepEqual(words(await outcomesOf(other.target({ collection: "gate" }), deliveries(1))), ["accepted"]);
      assert.equal(other.puts(), 2);
      await other.stop();
    }
  });

  it("counts a picture that is in the lake already as uploaded, and sends its model run", async () => {
    await outcomesOf(bench.target(), deliveries(1));
    const fresh = new LayernextBench({});
    assert.deepEqual(words(await outcomesOf(bench.target({ operationId: "second run" }), deliveries(2))), [
      "accepted",
      "accepted",
    ]);
    assert.equal(bench.puts(), 2);
    assert.equal(bench.sandbox.annotations().length, 3);
    await fresh.stop();
  });

  it("sets aside what the server removed before, says so, and takes the others", async () => {
    const [first, removed] = deliveries(2);
    assert.ok(first !== undefined && removed !== undefined);
    bench.sandbox.removeFile(removed.record.name);
    const outcomes = await outcomesOf(bench.target(), [first, removed]);
    assert.deepEqual(words(outcomes), ["accepted", "rejected UPLOAD_REMOVED"]);
    assert.match(outcomes[1]?.kind === "rejected" ? outcomes[1].error.message : "", /was removed from the collection/);
  });
});
