import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { decisionText } from "../../agent/remote/decision-text.ts";
import { pipelineLimits } from "../../src/core/limits.ts";
import { person, PipelineBench } from "../lib/pipeline-bench.ts";
import { handmadeJpeg } from "../lib/jpegs.ts";

const picture = handmadeJpeg(64, 48);

describe("what the pipeline remembers of its decisions", () => {
  async function decisionsOf(bench: PipelineBench) {
    return (bench.pipeline.decisions().get("gate") ?? []).map(({ kind, why, frames }) => `${kind} ${why} ${frames}`);
  }

  it("is each record, and what became of frames in a row once", async () => {
    await using bench = new PipelineBench({ rules: { labels: ["person"], minScore: 0.8 } });
    bench.pipeline.start();
    bench.vision.detections = [];
    await bench.show(picture, picture, picture);
    bench.vision.detections = [{ ...person, score: 0.6 }];
    await bench.show(picture);
    bench.vision.detections = [{ ...person, label: "cat" }];
    await bench.show(picture);
    bench.vision.detections = [person];
    await bench.show(picture, picture);
    assert.deepEqual(await decisionsOf(bench), [
      "not-kept empty 3",
      "not-kept score 1",
      "not-kept label 1",
      "stored label:person 1",
      "stored label:person 1",
    ]);
    const [first, , , stored] = bench.pipeline.decisions().get("gate") ?? [];
    assert.deepEqual([first?.detections, first?.best, stored?.best], [0, undefined, { label: "person", score: 0.9 }]);
    assert.equal(stored?.record, (await bench.stored())[0]?.record.id);
  });

  it("counts a full spool, a bad picture and a picture that nobody wants as what they are", async () => {
    await using full = new PipelineBench({ recordsMax: 1 });
    full.pipeline.start();
    await full.show(picture, picture);
    await full.clock.run(10_000);
    await full.show(Buffer.concat([picture.subarray(0, 20), Buffer.from("nonsense")]));
    const decisions = await decisionsOf(full);
    assert.deepEqual(decisions.slice(0, 2), ["stored any-detection 1", "refused SPOOL_FULL 1"]);
    assert.match(decisions[2] ?? "", /^dropped image-corrupt 1$/);
    await using unwanted = new PipelineBench({ targets: [{ id: "all", wants: () => false }] });
    unwanted.pipeline.start();
    await unwanted.show(picture);
    assert.deepEqual(await decisionsOf(unwanted), ["not-owed any-detection 1"]);
  });

  it("is bounded", async () => {
    await using bench = new PipelineBench();
    bench.pipeline.start();
    for (let frame = 0; frame < pipelineLimits.decisionsMax + 5; frame += 1) await bench.show(picture);
    const decisions = bench.pipeline.decisions().get("gate") ?? [];
    assert.equal(decisions.length, pipelineLimits.decisionsMax);
    assert.equal(decisions.at(-1)?.record, (await bench.stored()).at(-1)?.record.id);
  });

  it("has words for everything that can become of a frame", () => {
    const of = (kind: "stored" | "not-kept" | "still" | "not-owed" | "refused" | "dropped" | "kept", why: string) =>
      decisionText({ kind, why, requested: false, detections: 0, atMs: 0, frames: 1 });
    const whys = ["empty", "label", "score", "known", "interval", "vision-away"].map((why) => of("not-kept", why));
    const rules = [
      "any-detection",
      "unlabelled",
      "label:car",
      "negative:every-50",
      "new:car",
      "again:car",
      "shadow:+car",
    ];
    const faults = ["image-corrupt", "orientation-unapplied", "failed"].map((why) => of("dropped", why));
    const texts = [
      ...[...whys, ...rules.map((rule) => of("stored", rule)), ...faults],
      ...[of("still", "still"), of("not-owed", "label:car"), of("refused", "SPOOL_FULL"), of("refused", "SPOOL_IO")],
      of("kept", "any-detection"),
    ];
    assert.equal(new Set(texts).size, texts.length, "no two are alike");
    for (const text of texts) assert.doesNotMatch(text, /undefined/);
  });
});
