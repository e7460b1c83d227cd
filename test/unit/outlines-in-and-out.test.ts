import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { boxesSvg } from "../../agent/annotate.ts";
import { readLabels } from "../../agent/labels-file.ts";
import { scaledDetection, sentDetections } from "../../src/core/detections.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import type { Detection } from "../../src/core/types.ts";
import { recordViolation } from "../../src/sandbox/record-contract.ts";
import { annotationLine, parseAnnotation } from "../../src/targets/folder/annotation.ts";
import { recordPayload, recordText } from "../../src/targets/mqtt/encode.ts";
import { sampleDetection, sampleDraft, sampleJpeg, sampleRecord } from "../lib/records.ts";
import { tempFolder } from "../lib/temp.ts";

const box = { left: 4, top: 2, width: 20, height: 9 };
const polygon = [
  { x: 4, y: 2 },
  { x: 24, y: 2.5 },
  { x: 14, y: 11 },
];

async function read(detection: object): Promise<readonly Detection[]> {
  await using folder = await tempFolder();
  const file = join(folder.path, "labels.jsonl");
  await writeFile(file, JSON.stringify({ image: "a.jpg", detections: [detection] }));
  return (await readLabels(file))("a.jpg");
}

describe("outlines", () => {
  it("are drawn where a detection has one", () => {
    const svg = boxesSvg({ width: 64, height: 48 }, [
      { label: "person", score: 0.9, box, polygon },
      { label: "car", score: 0.8, box },
    ]);
    assert.equal(svg.match(/<polygon /g)?.length, 1);
    assert.match(svg, /points="4,2 24,2.5 14,11"/);
    assert.equal(svg.match(/fill="none"/g)?.length, 2);
  });

  it("are read from given labels as detect --json prints them", async () => {
    const detection = { label: "person", score: 0.9, box, polygon };
    assert.deepEqual(await read(detection), [detection]);
  });

  it("are read as open lines too, with the box around them where none is given", async () => {
    const line = [
      { x: 4, y: 2 },
      { x: 24, y: 11 },
    ];
    assert.deepEqual(await read({ label: "crack", box, line }), [{ label: "crack", score: 1, box, line }]);
    assert.deepEqual(await read({ label: "crack", line }), [{ label: "crack", score: 1, box, line }]);
    assert.deepEqual(await read({ label: "person", polygon }), [{ label: "person", score: 1, box, polygon }]);
    await assert.rejects(read({ label: "crack" }), { code: "USAGE_LABELS", message: /"box"/ });
    await assert.rejects(read({ label: "crack", line: line.slice(1) }), { code: "USAGE_LABELS", message: /"line"/ });
    assert.match(
      boxesSvg({ width: 64, height: 48 }, await read({ label: "crack", line })),
      /<polyline points="4,2 24,11"/,
    );
  });

  it("keep a level line, whose own box would have no height", async () => {
    const line = [
      { x: 30, y: 40 },
      { x: 10, y: 40 },
    ];
    const [detection] = await read({ label: "edge", line });
    assert.deepEqual(detection?.box, { left: 10, top: 39.5, width: 20, height: 1 });
  });

  it("are clipped to the image and reduced with it, on the way to every target", () => {
    const beyond = [...polygon, { x: 80, y: -3 }];
    const detection = { label: "person", score: 0.9, box: { left: 4, top: 2, width: 76, height: 9 }, polygon: beyond };
    const [sent] = sentDetections(sampleDraft({ detections: [{ ...detection, line: beyond }] }), 0);
    const inside = [...polygon, { x: 64, y: 0 }];
    assert.deepEqual(sent, {
      ...detection,
      box: { left: 4, top: 2, width: 60, height: 9 },
      polygon: inside,
      line: inside,
    });
    assert.deepEqual(scaledDetection({ ...detection, line: polygon }, 0.5, 2), {
      ...detection,
      box: { left: 2, top: 4, width: 38, height: 18 },
      polygon: beyond.map(({ x, y }) => ({ x: x / 2, y: y * 2 })),
      line: polygon.map(({ x, y }) => ({ x: x / 2, y: y * 2 })),
    });
  });

  it("go into the MQTT payload and the folder's line, and come back from it", () => {
    const record = sampleRecord(1, sampleJpeg(), {
      detections: [sampleDetection({ polygon }), sampleDetection({ line: polygon.slice(1) }), sampleDetection()],
    });
    const payload = recordPayload(recordText(record, { boxOrigin: "center", minScore: 0 }), sampleJpeg());
    assert.deepEqual((JSON.parse(payload.toString()) as { detections: unknown }).detections, record.detections);
    assert.equal(recordViolation(payload, 1), undefined);
    assert.deepEqual(parseAnnotation(annotationLine(record, 0))?.detections, record.detections);
    const damaged = { ...record, detections: [sampleDetection({ line: [{ x: 1, y: 2 }] })] };
    assert.equal(parseAnnotation(annotationLine(damaged, 0)), undefined);
  });

  it("are refused where they are none, or longer than any of ours", async () => {
    const long = Array.from({ length: visionLimits.outlinePointsMax + 1 }, (_, x) => ({ x, y: x }));
    for (const wrong of [long, polygon.slice(1), [...polygon, { x: 1 }], "4,2", {}]) {
      await assert.rejects(read({ label: "person", box, polygon: wrong }), {
        code: "USAGE_LABELS",
        message: /"polygon"/,
      });
    }
  });
});
