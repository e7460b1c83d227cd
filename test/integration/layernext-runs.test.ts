import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { layernextLimits } from "../../src/core/platform-limits.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Delivery } from "../../src/core/ports.ts";
import { layernextFaults } from "../../src/sandbox/layernext/faults.ts";
import { settleAll } from "../contract/target-rounds.ts";
import { basic, deliveries, LayernextBench, outcomesOf, steps, words } from "../lib/layernext-bench.ts";
import { inWords } from "../lib/outcome-words.ts";
import { sampleDelivery, sampleDetection, sampleJpeg } from "../lib/records.ts";

let bench: LayernextBench;

async function begin(options: ConstructorParameters<typeof LayernextBench>[0] = {}): Promise<void> {
  bench = new LayernextBench(options);
  await bench.start();
}

describe("LayerNext jobs", () => {
  beforeEach(() => begin());
  afterEach(() => bench.stop());

  it("says of a failed job that it failed, and uploads its pictures anew", async () => {
    bench.sandbox.endJobs("fail");
    const target = bench.target();
    assert.deepEqual(words(await outcomesOf(target, deliveries(2))), Array(2).fill("target? JOB_FAILED"));
    assert.deepEqual(bench.sandbox.annotations(), []);
    bench.sandbox.endJobs("complete");
    const endings = await settleAll(target, deliveries(2));
    assert.deepEqual(
      [...endings.values()].map(({ kind }) => kind),
      ["accepted", "accepted"],
    );
    assert.equal(bench.puts(), 2);
  });

  const carried = (delivery: Delivery, outcome: Outcome | undefined): Delivery => {
    assert.ok(outcome?.kind === "retry" && outcome.cursor !== undefined);
    assert.ok(Buffer.byteLength(outcome.cursor) <= 512);
    return { ...delivery, cursor: outcome.cursor };
  };

  it("puts a slow job off with a cursor, and sends neither picture nor model run twice", async () => {
    bench.sandbox.endJobs("never");
    const batch = deliveries(2);
    const outcomes = await outcomesOf(bench.target({}, { waitMs: 0 }), batch);
    assert.deepEqual(words(outcomes), Array(2).fill("record JOB_PENDING after 15000"));
    const later = batch.map((delivery, at) => carried(delivery, outcomes[at]));
    const again = await outcomesOf(bench.target(), later);
    assert.deepEqual(words(again), Array(2).fill("record JOB_PENDING after 30000"));
    assert.notEqual(
      carried(batch[0] ?? assert.fail(), again[0]).cursor,
      later[0]?.cursor,
      "a step that is not charged",
    );
    assert.equal(bench.puts(), 2);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
  });

  it("waits for a job within the call, at once and then less and less often", async () => {
    await bench.stop();
    await begin({ jobPolls: 4 });
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.clock.monotonicMs(), 250 + 500 + 1_000 + 2_000);
  });

  it("gives up on a job that never ends, and suspects its pictures", async () => {
    bench.sandbox.endJobs("never");
    const target = bench.target({}, { waitMs: 0 });
    let [delivery] = deliveries(1);
    assert.ok(delivery !== undefined);
    for (let polls = 0; polls < layernextLimits.laterPollsMax; polls += 1) {
      const [outcome] = await outcomesOf(target, [delivery]);
      delivery = carried(delivery, outcome);
    }
    const [last] = await outcomesOf(target, [delivery]);
    assert.ok(last?.kind === "retry" && last.error.code === "JOB_STUCK" && last.cursor === "");
    assert.equal(last.scope, "target", "all jobs may be stuck");
    bench.sandbox.endJobs("complete");
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.puts(), 1);
  });

  it("uploads anew when the server has forgotten the job of an upload whose model run was cut off", async () => {
    bench.sandbox.fault({ kind: "reset-early" }, 1, steps.run);
    await outcomesOf(bench.target(), deliveries(1));
    bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps.job);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? UPLOAD_REFUSED"]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
    assert.equal(bench.count("uploadMetadataInCollection"), 2);
    assert.equal(bench.puts(), 1);
  });

  it("uploads anew when the server has forgotten the job", async () => {
    const [delivery] = deliveries(1);
    assert.ok(delivery !== undefined);
    const cursor = '{"j":"gone","n":3}';
    const [outcome] = await outcomesOf(bench.target(), [{ ...delivery, cursor }]);
    assert.ok(outcome?.kind === "retry" && outcome.scope === "record" && outcome.cursor === "");
    assert.deepEqual(words(await outcomesOf(bench.target(), [{ ...delivery, cursor: "{nonsense" }])), ["accepted"]);
  });
});

describe("LayerNext model runs", () => {
  beforeEach(() => begin({ labels: ["person", "forklift"] }));
  afterEach(() => bench.stop());

  it("does not swallow a data call that fails, and then repeats it alone", async () => {
    for (const name of ["server-error-500", "no-success-200"] as const) {
      bench.sandbox.fault(layernextFaults[name], 1, steps.run);
      const [outcome] = await outcomesOf(bench.target(), deliveries(1));
      assert.ok(outcome?.kind === "retry" && outcome.cursor !== undefined);
      const [delivery] = deliveries(1);
      assert.ok(delivery !== undefined);
      const uploads = bench.count("uploadMetadataInCollection");
      assert.deepEqual(words(await outcomesOf(bench.target(), [{ ...delivery, cursor: outcome.cursor }])), [
        "accepted",
      ]);
      assert.equal(bench.count("uploadMetadataInCollection"), uploads);
    }
  });

  it("sets aside the one record whose annotations the server refuses", async () => {
    const batch = deliveries(3);
    for (const { record } of batch) {
      const label = record.sequence === 2 ? "forklift" : "person";
      bench.sandbox.expect(record.imageSha256, { boxes: [{ label, box: sampleDetection().box }] });
    }
    assert.deepEqual(words(await outcomesOf(bench.target(), batch)), ["accepted", "rejected HTTP_400", "accepted"]);
  });

  for (const name of ["not-found-404", "not-acceptable-406"] as const) {
    it(`sets nothing aside for a ${name} to a data call, and blocks nobody with it`, async () => {
      bench.sandbox.fault(layernextFaults[name], 2, steps.run);
      const outcomes = await outcomesOf(bench.target(), deliveries(2));
      assert.deepEqual(words(outcomes), ["target? UPLOAD_REFUSED", "accepted"]);
      assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(2))), ["accepted", "accepted"]);
    });
  }

  it("believes no 200 with an error in it, and repeats no credentials that it shows", async () => {
    const body = JSON.stringify({ error: { message: `not for ${basic}` } });
    bench.sandbox.fault({ kind: "answer", status: 200, body }, 1, steps.run);
    const outcomes = await outcomesOf(bench.target(), deliveries(1));
    assert.deepEqual(words(outcomes), ["target? PLATFORM_FAILED"]);
    assert.match(outcomes[0]?.kind === "retry" ? outcomes[0].error.message : "", /not for \*\*\*/);
  });

  it("sets nothing aside for a 406 to a label", async () => {
    bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps.references);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["target? UPLOAD_REFUSED"]);
    assert.deepEqual(words(await outcomesOf(bench.target(), deliveries(1))), ["accepted"]);
  });

  it("sends no picture whose label the server does not know, says which, and takes the others", async () => {
    const strange = sampleDelivery(2, sampleJpeg(2), { detections: [sampleDetection({ label: "dog" })] });
    const outcomes = await outcomesOf(bench.target(), [...deliveries(1), strange]);
    assert.deepEqual(words(outcomes), ["accepted", "rejected LABEL_UNKNOWN"]);
    assert.match(outcomes[1]?.kind === "rejected" ? outcomes[1].error.message : "", /no label "dog"/);
    assert.equal(bench.puts(), 1);
    const [alone] = await outcomesOf(bench.target(), [strange]);
    assert.equal(alone === undefined ? "" : inWords(alone), "rejected LABEL_UNKNOWN");
  });

  it("asks for labels one by one when the server refuses to answer for all", async () => {
    const other = sampleDelivery(2, sampleJpeg(2), { detections: [sampleDetection({ label: "forklift" })] });
    bench.sandbox.fault(layernextFaults["not-acceptable-406"], 1, steps.references);
    assert.deepEqual(words(await outcomesOf(bench.target(), [...deliveries(1), other])), ["accepted", "accepted"]);
    assert.equal(bench.count("references"), 3);
  });

  it("sends one model run for each model and day, and none for frames that no model saw", async () => {
    const model = { inputWidth: 1, inputHeight: 1, threshold: 0, nmsIou: 1, runtime: "x", sha256: "ab12".repeat(16) };
    const batch = [
      sampleDelivery(1, sampleJpeg(1), { model: { ...model, name: "dock" } }),
      sampleDelivery(2, sampleJpeg(2), { model: { ...model, name: "yard/50%" } }),
      sampleDelivery(3, sampleJpeg(3), { model: { ...model, name: "dock" }, detections: [] }),
      sampleDelivery(4, sampleJpeg(4), { labelled: false, detections: [] }),
    ];
    const target = bench.target({ operationId: "{model} {version} {date}" });
    assert.deepEqual(words(await outcomesOf(target, batch)), Array(4).fill("accepted"));
    assert.deepEqual(
      bench.sandbox.annotations().map(({ operationId, shapes }) => [operationId, shapes.length]),
      [
        ["dock ab12ab12ab12 2026-03-05", 1],
        ["dock ab12ab12ab12 2026-03-05", 0],
        ["yard-50- ab12ab12ab12 2026-03-05", 1],
      ],
    );
    assert.equal(bench.sandbox.stored().length, 4);
  });

  it("carries outlines and lines where the model gives them, and their boxes where the config says so", async () => {
    const points = [
      { x: 4, y: 2 },
      { x: 24, y: 2 },
      { x: 24, y: 11 },
    ];
    const shapes = [sampleDetection({ polygon: points }), sampleDetection({ line: points }), sampleDetection()];
    const batch = [sampleDelivery(1, sampleJpeg(1), { detections: shapes })];
    const types = () => bench.sandbox.annotations().map((run) => run.shapes.map(({ type }) => type));
    await outcomesOf(bench.target(), batch);
    assert.deepEqual(types(), [["polygon", "line", "rectangle"]]);
    await outcomesOf(bench.target({ geometry: "rectangle" }), batch);
    assert.deepEqual(types(), [["rectangle", "rectangle", "rectangle"]]);
  });

  it("sends at most 1,000 images in a call, counted on within one session", async () => {
    await outcomesOf(bench.target(), deliveries(1));
    const client = bench.client();
    const references = await client.labelReferences(new Map([["person", new Map()]]), new AbortController().signal);
    const objectKey = bench.sandbox.annotations()[0]?.objectKey ?? "";
    const image = { address: { by: "key", objectKey }, annotations: [], newId: () => "" } as const;
    const images = Array.from({ length: 2_001 }, () => image);
    const told: number[] = [];
    const upload = { operationId: "bulk", kind: "modelRun", images, references, nowMs: 1_772_705_700_104 } as const;
    const onProgress = (done: number): void => void told.push(done);
    await client.uploadAnnotations({ ...upload, onProgress }, new AbortController().signal);
    assert.deepEqual(told, [1_000, 2_000, 2_001]);
    assert.deepEqual(bench.sandbox.violations(), []);
  });

  it("gives each shape the same id when a model run is sent again", async () => {
    const ids = () => bench.sandbox.annotations().flatMap((run) => run.shapes.map(({ id }) => id));
    await outcomesOf(bench.target(), deliveries(2));
    const before = ids();
    await outcomesOf(bench.target(), deliveries(2));
    assert.deepEqual(ids(), before);
    assert.equal(new Set(before).size, 2);
  });

  it("sends an unreadable record aside and tells the server nothing of it", async () => {
    const error = new AgentError("RECORD_UNREADABLE", "its checksum is wrong", { disposition: "reject" });
    const [first, second] = deliveries(2);
    assert.ok(first !== undefined && second !== undefined);
    const damaged = { ...first, image: () => Promise.reject(error) };
    assert.deepEqual(words(await outcomesOf(bench.target(), [damaged, second])), [
      "rejected RECORD_UNREADABLE",
      "accepted",
    ]);
    assert.equal(bench.count("uploadMetadataInCollection"), 1);
  });

  it("speaks with servers from before 1.0, at the base path of the config", async () => {
    await bench.stop();
    await begin({ api: "layerx", basePath: "/lake" });
    assert.deepEqual(words(await outcomesOf(bench.target({ basePath: "/lake" }), deliveries(2))), [
      "accepted",
      "accepted",
    ]);
    assert.match(bench.sandbox.annotations()[0]?.objectKey ?? "", /^dock-3\/gw-07/);
    assert.deepEqual([...bench.sandbox.violations(), ...bench.sandbox.storage.violations()], []);
  });
});
