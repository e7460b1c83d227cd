import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { resolveModel } from "../../src/vision/model.ts";
import { goldenOf } from "../../src/vision/golden.ts";
import { type Proof, proofError, proveModel, readGolden, writeGolden } from "../../src/vision/proof.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { constantModel } from "../lib/constant-model.ts";
import { randomScene } from "../lib/scenes.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { never, tinyModel, tinyModelsFolder, visionProcess } from "../lib/vision.ts";

let scene: Promise<Buffer> | undefined;

async function sceneJpeg(): Promise<Buffer> {
  scene ??= sharp(Buffer.from(randomScene(seededRandom(5)).svg))
    .withExif({ IFD0: { Artist: "somebody" } })
    .jpeg({ quality: 90 })
    .toBuffer();
  return await scene;
}

async function withFolder<T>(work: (path: string) => Promise<T>): Promise<T> {
  await using folder = await tempFolder();
  return await work(folder.path);
}

/** Proofs of a file with these bytes, one for each: with a golden picture as if it were that of a model that works, or none. */
async function proofsOf(bytes: Buffer, ...pictures: readonly ("golden" | "none")[]): Promise<readonly Proof[]> {
  return await withFolder(async (path) => {
    const file = join(path, "model.onnx");
    await writeFile(file, bytes);
    // Nobody else doubts what it gives for an empty picture.
    const model = { ...(await resolveModel(file, { modelsFolders: [] })), manifest: { family: "yolo8" } };
    await using vision = visionProcess({ model });
    await vision.start(never);
    const box = { left: 100, top: 100, width: 80, height: 80 };
    const described = goldenOf(await sceneJpeg(), [{ label: "red", score: 0.9, box }], 0.25);
    const proofs: Proof[] = [];
    for (const picture of pictures) {
      proofs.push(await proveModel(vision, picture === "golden" ? described : undefined, {}, never));
    }
    return proofs;
  });
}

describe("proving a model", () => {
  it("says of one that works what it is, and that it finds on its golden picture what it found there before", async () => {
    await using folder = await tempFolder();
    await using vision = visionProcess({ model: await tinyModel("tiny-yolo8") });
    await vision.start(never);
    const jpeg = await sceneJpeg();
    const { detections, model } = await vision.detect(jpeg, { exact: true }, never);
    await writeGolden(folder.path, goldenOf(jpeg, detections, model.threshold));
    const golden = await readGolden(folder.path);
    assert.ok(golden !== undefined && golden.expected.length > 0);
    const proof = await proveModel(vision, golden, { runMsMax: 10_000 }, never);
    const { length } = golden.expected;
    // Boxes are written with two digits.
    assert.ok(proof.golden.kind === "matched" && proof.golden.iouMin > 0.99, JSON.stringify(proof.golden));
    assert.deepEqual([proof.golden.expected, proof.golden.found], [length, length]);
    assert.deepEqual([proof.problems, proof.warnings, proofError(proof)], [[], [], undefined]);
    const { inspection } = proof;
    assert.deepEqual(inspection.inputs, [{ name: "images", type: "float32", shape: [1, 3, 384, 640] }]);
    assert.deepEqual(
      inspection.outputs.map(({ name, dims, notFinite }) => [name, dims, notFinite]),
      [["output0", [1, 7, 5_040], 0]],
    );
    assert.deepEqual([inspection.graph?.precision, inspection.metadata["task"]], ["float32", "detect"]);
    assert.ok(proof.runMs > 0 && proof.loadMs > 0 && proof.rssPeakBytes >= proof.rssBytes);
    const slow = await proveModel(vision, golden, { runMsMax: proof.runMs / 1_000 }, never);
    assert.match(slow.problems.join(), /a run takes .* ms, and may take/);
    assert.equal(proofError(slow)?.code, "MODEL_UNPROVEN");
  });

  it("calls a model dead that finds nothing on its golden picture, and warns of it where it has none", async () => {
    const [proof, without] = await proofsOf(constantModel({ score: 0, quantised: "static" }), "golden", "none");
    assert.ok(proof && without);
    assert.deepEqual(proof.golden, { kind: "dead", expected: 1, scoreMax: 0 });
    assert.deepEqual(proof.problems, ["it finds nothing on its golden picture"]);
    assert.deepEqual([proofError(proof)?.code, proof.inspection.graph?.precision], ["MODEL_DEAD", "int8 static"]);
    assert.deepEqual([without.golden.kind, without.problems.length, without.warnings.length], ["none", 0, 1]);
  });

  it("refuses outputs that are no numbers, and scores that are none", async () => {
    const [broken] = await proofsOf(constantModel({ score: Number.NaN }), "none");
    assert.ok(broken);
    assert.match(broken.problems.join(), /values of its output output0 are no numbers/);
    const [loud] = await proofsOf(constantModel({ score: 3.5 }), "golden");
    assert.ok(loud);
    assert.equal(proofError(loud)?.code, "MODEL_DIFFERENT");
    assert.match(loud.problems.join(), /1 of 1 are missing.*not expected, such as red 1\.00.*scores up to 3\.5/);
  });

  it("refuses half of a golden picture", async () => {
    await using folder = await tempFolder();
    assert.equal(await readGolden(folder.path), undefined);
    await writeFile(join(folder.path, "golden.jpg"), await sceneJpeg());
    await assert.rejects(readGolden(folder.path), { code: "MODEL_GOLDEN", message: /golden\.json is not beside it/ });
    await writeFile(join(folder.path, "golden.json"), "{");
    await assert.rejects(readGolden(folder.path), { code: "MODEL_GOLDEN" });
  });

  it("notices in service that a model is dead, and that one is not", async () => {
    await withFolder(async (path) => {
      const file = join(path, "dead.onnx");
      for (const score of [0, 0.001]) {
        await writeFile(file, constantModel({ score }));
        const model = await resolveModel(file, { modelsFolders: [] });
        const log = new RecordingLogger();
        await using vision = visionProcess({ model, silentAfterPictures: 3 }, log);
        await vision.start(never);
        const jpeg = await sceneJpeg();
        for (let picture = 0; picture < 7; picture += 1) await vision.detect(jpeg, { exact: false }, never);
        assert.equal(vision.health().silent, score === 0 ? true : undefined);
        const said = log.lines.filter(({ event }) => event === "vision.model-silent");
        assert.equal(said.length, score === 0 ? 1 : 0);
      }
    });
  });
});

describe("the commands that prove models", () => {
  let data = "";
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(async () => {
    folder = await tempFolder();
    data = join(folder.path, "data");
    for (const [name, bytes] of [
      ["alive", await readFile(join(tinyModelsFolder, "tiny-yolo8.onnx"))],
      ["dead", constantModel({ score: 0 })],
    ] as const) {
      const home = join(data, "models", name, "1");
      await mkdir(home, { recursive: true });
      await writeFile(join(home, "model.onnx"), bytes);
    }
    await writeFile(join(folder.path, "scene.jpg"), await sceneJpeg());
    await writeFile(join(folder.path, "note.onnx"), "no model");
  });

  after(async () => {
    await rm(folder.path, { recursive: true, force: true });
  });

  async function at(...words: readonly string[]) {
    const found = words.map((word) => (/\.(jpg|onnx)$/.test(word) ? join(folder.path, word) : word));
    return await framepostInside(["--data", data, ...found]);
  }

  it("take a photo in as the golden picture, without what the camera wrote beside it, and judge by it", async () => {
    const recorded = await at("models", "verify", "alive", "--record", "scene.jpg");
    assert.equal(recorded.code, 0, recorded.stderr);
    const home = join(data, "models", "alive", "1");
    assert.deepEqual((await readdir(home)).sort(), ["golden.jpg", "golden.json", "model.onnx"]);
    assert.equal((await sharp(join(home, "golden.jpg")).metadata()).exif, undefined);
    assert.match(recorded.stdout, /\n {2}golden {6}all \d+ found; .*\n(.*\n)*? {2}verdict {5}fit for use\n$/);
    // The same picture before a dead model, and a file that is none.
    for (const name of ["golden.jpg", "golden.json"]) {
      await writeFile(join(data, "models", "dead", "1", name), await readFile(join(home, name)));
    }
    const ran = await at("models", "verify", "dead", "note.onnx", "--json");
    assert.equal(ran.code, 1);
    const lines = ran.stdout.trim().split("\n");
    const verdicts = lines.map((line) => JSON.parse(line) as { readonly verdict: string; readonly golden?: object });
    assert.deepEqual(
      verdicts.map(({ verdict }) => verdict),
      ["unfit", "unusable"],
    );
    assert.deepEqual({ kind: "dead", ...verdicts[0]?.golden }, verdicts[0]?.golden);
  });

  it("are heard by doctor", async () => {
    const camera = { id: "street", driver: "simulated", width: 160, height: 120 };
    const config = { cameras: [camera], detector: { model: "dead" }, targets: [] };
    await writeFile(join(folder.path, "framepost.yaml"), JSON.stringify(config));
    const ran = await at("doctor", "-c", join(folder.path, "framepost.yaml"));
    assert.equal(ran.code, 1);
    assert.match(ran.stdout, /ok {7}model: dead@1: yolo8, 64×64/);
    assert.match(ran.stdout, /FAILED {3}golden picture: .*finds nothing .*\(MODEL_DEAD\)\n {9}mend: .*float/);
  });

  it("measure models with every number of threads, and say what to run and which lines to write", async () => {
    const ran = await at("models", "bench", "alive", "--photo", "scene.jpg", "--runs", "2");
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^model +precision +input +threads +run ms +p95 .*\nalive\S* +float32 +640×384 +1 /);
    assert.match(ran.stdout, /\d detections a second on (one thread|\d threads)\n/);
    assert.match(ran.stdout, /models use alive\n\ndetector:\n {2}threads: \d+\n$/);
  });

  it("say what is wrong with their words", async () => {
    const both = await at("models", "verify", "alive", "--record", "scene.jpg", "--golden", "scene.jpg");
    assert.deepEqual([both.code, both.stdout], [2, ""]);
    const loose = await at("models", "verify", "tiny-ssd", "--record", "scene.jpg");
    assert.equal(loose.code, 2);
    assert.match(loose.stderr, /--record is for an installed model/);
  });
});
