import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { fuzzPhotos } from "../lib/fuzz-photos.ts";
import { fuzzModels, fuzzPictures, type FuzzFigures } from "../lib/vision-fuzz.ts";
import { tinyModel, tinyModelsFolder } from "../lib/vision.ts";

/** A short form of `npm run test:endurance -- vision-fuzz`. */
const rounds = 120;
const timeoutMs = 10_000;
const seed = 5;

function judge({ codes, unclear, slowestMs }: FuzzFigures): void {
  assert.deepEqual(unclear, []);
  assert.ok(slowestMs < timeoutMs + 1_000);
  const answered = [...codes.values()].reduce((sum, times) => sum + times, 0);
  assert.ok(answered >= rounds);
  // Damage that nothing notices, and none that anything does, would both be no test.
  assert.ok((codes.get("none") ?? 0) > 0 && codes.size > 1, JSON.stringify([...codes]));
}

describe("the vision process and damaged files", () => {
  it("answers every damaged model in words, and goes on", async function () {
    this.timeout(60_000);
    const names = (await readdir(tinyModelsFolder)).filter((name) => name.endsWith(".onnx"));
    const sources = await Promise.all(names.map(async (name) => readFile(join(tinyModelsFolder, name))));
    const [picture = Buffer.alloc(0)] = await fuzzPhotos();
    judge(await fuzzModels({ seed, rounds, timeoutMs, sources }, picture));
  });

  it("answers every damaged picture in words, and goes on", async function () {
    this.timeout(60_000);
    const { detectionsMax, candidatesMax } = visionLimits;
    const settings = { threads: 1, detectionsMax, candidatesMax };
    const load = { kind: "load", model: await tinyModel(), settings } as const;
    judge(await fuzzPictures({ seed, rounds, timeoutMs, sources: await fuzzPhotos() }, load));
  });
});
