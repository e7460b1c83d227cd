import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { readOnnxGraph } from "../../src/vision/process/onnx-graph.ts";
import { constantModel } from "../lib/constant-model.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { tinyModelsFolder } from "../lib/vision.ts";

const tinyFile = join(tinyModelsFolder, "tiny-yolo8.onnx");

describe("walking an ONNX graph", () => {
  it("counts nodes and weights, and finds the operator set", () => {
    const facts = readOnnxGraph(tinyFile);
    assert.deepEqual([facts?.opset, facts?.precision], [13, "float32"]);
    assert.ok((facts?.nodes ?? 0) > 100 && (facts?.parameters ?? 0) > 1_000, JSON.stringify(facts));
  });

  it("tells the precisions by their operators", async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, "model.onnx");
    for (const [quantised, precision] of [
      ["static", "int8 static"],
      ["dynamic", "int8 dynamic"],
      ["weights", "int8 weights only"],
      [undefined, "float32"],
    ] as const) {
      await writeFile(file, constantModel({ score: 0, ...(quantised === undefined ? {} : { quantised }) }));
      assert.equal(readOnnxGraph(file)?.precision, precision);
    }
  });

  it("gives nothing for a cut, foreign or missing file", async () => {
    await using folder = await tempFolder();
    const whole = await readFile(tinyFile);
    const file = join(folder.path, "cut.onnx");
    for (const cut of [0, 1, 100, whole.length >> 1, whole.length - 1]) {
      await writeFile(file, whole.subarray(0, cut));
      assert.equal(readOnnxGraph(file), undefined, `cut at ${cut}`);
    }
    for (const content of ["<html></html>", Buffer.alloc(65_536), Buffer.alloc(65_536, 0xff)]) {
      await writeFile(file, content);
      assert.equal(readOnnxGraph(file), undefined);
    }
    assert.equal(readOnnxGraph(join(folder.path, "none.onnx")), undefined);
  });

  it("ends on any damage, with counts that are numbers or with nothing", async () => {
    await using folder = await tempFolder();
    const whole = await readFile(tinyFile);
    const file = join(folder.path, "damaged.onnx");
    const random = seededRandom(17);
    let nothing = 0;
    for (let round = 0; round < 150; round += 1) {
      const bytes = Buffer.from(whole);
      for (let flips = 0; flips < 4; flips += 1) {
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      }
      await writeFile(file, bytes);
      const facts = readOnnxGraph(file);
      if (facts === undefined) nothing += 1;
      else assert.ok(Number.isSafeInteger(facts.parameters) && facts.nodes > 0, JSON.stringify(facts));
    }
    assert.ok(nothing > 10 && nothing < 150, `${nothing} of 150 gave nothing`);
  });
});
