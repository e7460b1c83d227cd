import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentError } from "../../src/core/errors.ts";
import { manifestSchema } from "../../src/vision/config.ts";
import { resolveModel } from "../../src/vision/model.ts";
import { families } from "../../src/vision/process/families/registry.ts";
import { readOnnxMetadata } from "../../src/vision/process/onnx-metadata.ts";
import { buildTinyModels } from "../../models/tiny/build.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { tinyModelsFolder } from "../lib/vision.ts";

const tinyFile = join(tinyModelsFolder, "tiny-yolo8.onnx");

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return "none";
}

describe("tiny models", () => {
  it("are byte for byte what their program writes", async () => {
    for (const { name, bytes } of buildTinyModels()) {
      assert.ok(
        bytes.equals(await readFile(join(tinyModelsFolder, name))),
        `${name}: run node dist/models/tiny/write.js`,
      );
    }
  });
});

describe("reading an ONNX file's outer parts", () => {
  it("finds its metadata", () => {
    const metadata = readOnnxMetadata(tinyFile);
    assert.equal(metadata.get("names"), "{0: 'red', 1: 'green', 2: 'blue'}");
    assert.equal(metadata.get("imgsz"), "[384, 640]");
  });

  it("knows a file cut at any place as not complete", async () => {
    await using folder = await tempFolder();
    const whole = await readFile(tinyFile);
    const file = join(folder.path, "cut.onnx");
    const cuts = [0, 1, 2, 3, 10, 11, 12, 50, 200, 400, 1_000, whole.length >> 1, whole.length - 1];
    for (const cut of cuts) {
      await writeFile(file, whole.subarray(0, cut));
      assert.equal(await codeOf(() => readOnnxMetadata(file)), "MODEL_TRUNCATED", `cut at ${cut}`);
    }
  });

  it("knows other files as not ONNX", async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, "other.onnx");
    const random = seededRandom(9);
    const others: readonly (Buffer | string)[] = [
      "<!DOCTYPE html><html>Sign in</html>",
      '{"error": "not found"}',
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
      "PK\u0003\u0004 a zip file",
      Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]),
      Buffer.alloc(4_096),
      Buffer.alloc(4_096, 0xff),
      Buffer.from(Array.from({ length: 4_096 }, () => Math.floor(random() * 256))),
    ];
    for (const content of others) {
      await writeFile(file, content);
      assert.equal(
        await codeOf(() => readOnnxMetadata(file)),
        "MODEL_NOT_ONNX",
        content.toString("latin1").slice(0, 20),
      );
    }
  });

  it("answers on any damage with one of its codes", async () => {
    await using folder = await tempFolder();
    const whole = await readFile(tinyFile);
    const file = join(folder.path, "damaged.onnx");
    const random = seededRandom(11);
    for (let round = 0; round < 300; round += 1) {
      const bytes = Buffer.from(whole);
      // Most of the file is the graph, which is stepped over: the damage goes to what is read.
      for (let flips = 0; flips < 3; flips += 1) bytes[Math.floor(random() * 400)] = Math.floor(random() * 256);
      await writeFile(file, bytes);
      assert.match(await codeOf(() => readOnnxMetadata(file)), /^(none|MODEL_NOT_ONNX|MODEL_TRUNCATED)$/);
    }
  });
});

describe("finding a model", () => {
  it("takes a file or a name, with its checksum", async () => {
    const byFile = await resolveModel(tinyFile, { modelsFolders: [] });
    const byName = await resolveModel("tiny-yolo8", { modelsFolders: ["/nowhere", tinyModelsFolder] });
    assert.deepEqual(byFile, byName);
    assert.equal(byFile.name, "tiny-yolo8");
    assert.match(
      await readFile(join(tinyModelsFolder, "SHA256SUMS"), "utf8"),
      new RegExp(`${byFile.sha256}  tiny-yolo8.onnx`),
    );
  });

  it("names every place it has looked at when there is none", async () => {
    await assert.rejects(resolveModel("no-such", { modelsFolders: ["/a", "/b"] }), {
      code: "MODEL_NOT_FOUND",
      message: /\/a\/no-such\.onnx, \/b\/no-such\.onnx/,
    });
  });

  it("reads the manifest given, else the one named after the file, else a model.json that names the file", async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, "mine.onnx");
    await writeFile(file, await readFile(tinyFile));
    const nameWith = async (manifest?: string) =>
      (await resolveModel(file, { modelsFolders: [], ...(manifest === undefined ? {} : { manifest }) })).name;
    await writeFile(join(folder.path, "model.json"), '{"name": "another", "file": "another.onnx"}');
    assert.equal(await nameWith(), "mine");
    await writeFile(join(folder.path, "model.json"), '{"name": "beside", "file": "mine.onnx"}');
    assert.equal(await nameWith(), "beside");
    await writeFile(`${file}.json`, '{"name": "own"}');
    assert.equal(await nameWith(), "own");
    const given = join(folder.path, "given.json");
    await writeFile(given, '{"name": "given", "labels": ["a", "b"], "input": {"mean": [1, 2, 3]}}');
    assert.equal(await nameWith(given), "given");
  });

  it("refuses a manifest with a mistake, saying where", async () => {
    await using folder = await tempFolder();
    const manifest = join(folder.path, "m.json");
    const problems: readonly (readonly [string, RegExp])[] = [
      ["{", /JSON/],
      ['{"familly": "yolo8"}', /familly/],
      ['{"input": {"fit": "squeeze"}}', /input\.fit/],
      ['{"threshold": 2}', /threshold/],
    ];
    for (const [text, message] of problems) {
      await writeFile(manifest, text);
      await assert.rejects(resolveModel(tinyFile, { modelsFolders: [], manifest }), {
        code: "MODEL_MANIFEST",
        message,
      });
    }
  });

  it("refuses a file that is not the one its manifest names", async () => {
    await using folder = await tempFolder();
    const manifest = join(folder.path, "m.json");
    await writeFile(manifest, JSON.stringify({ sha256: "0".repeat(64) }));
    await assert.rejects(resolveModel(tinyFile, { modelsFolders: [], manifest }), { code: "MODEL_CHECKSUM" });
  });
});

describe("the page on manifests", () => {
  it("names every key of a manifest, and every family", async () => {
    const page = await readFile(join(tinyModelsFolder, "..", "README.md"), "utf8");
    const example = manifestSchema.parse(
      JSON.parse(/```json\n([^]*?)```/.exec(page)?.[1]?.replace(/64 hex[^"]*/, "0".repeat(64)) ?? ""),
    );
    const { outputs, ...plain } = manifestSchema.shape;
    for (const key of Object.keys(plain)) assert.ok(key in example, `the example has no ${key}`);
    for (const key of Object.keys(outputs.unwrap().shape)) assert.ok(page.includes(`\`outputs.${key}\``), key);
    for (const key of Object.keys(plain.input.unwrap().shape)) assert.ok(key in (example.input ?? {}), key);
    for (const key of Object.keys(plain.nms.unwrap().shape)) assert.ok(key in (example.nms ?? {}), key);
    for (const { name } of families) assert.ok(page.includes(`| \`${name}\``), `the table has no ${name}`);
  });
});
