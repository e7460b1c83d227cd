import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { boxesSvg } from "../../agent/annotate.ts";
import { readLabels } from "../../agent/labels-file.ts";
import { visionLimits } from "../../src/core/limits.ts";
import type { Detection } from "../../src/core/types.ts";
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
