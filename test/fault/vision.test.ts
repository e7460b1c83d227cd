import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { GraphWriter } from "../../models/tiny/onnx.ts";
import { AgentError } from "../../src/core/errors.ts";
import { visionLimits } from "../../src/core/vision-limits.ts";
import { VisionChild } from "../../src/vision/child.ts";
import type { VisionOptions, VisionProcess } from "../../src/vision/client.ts";
import { type ModelSpec, resolveModel } from "../../src/vision/model.ts";
import { ManyModels } from "../lib/many-models.ts";
import { until } from "../lib/poll.ts";
import { randomScene } from "../lib/scenes.ts";
import { seededRandom } from "../lib/seams.ts";
import { repositoryFolder } from "../lib/shared.ts";
import { tempFolder } from "../lib/temp.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";

const { svg } = randomScene(seededRandom(1));

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return "none";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function pidOf(vision: VisionProcess): number {
  const { pid } = vision.health();
  assert.ok(pid !== undefined);
  return pid;
}

describe("vision with a bad picture", () => {
  let vision: ReturnType<typeof visionProcess>;
  let jpeg: Buffer;
  before(async () => {
    vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
    ({ jpeg } = await vision.render(svg, { quality: 90 }, never));
  });
  after(async () => vision.stop());

  it("refuses every damaged JPEG with a clear code and serves the next one", async () => {
    const damaged = [
      Buffer.alloc(0),
      Buffer.from("not a picture at all"),
      Buffer.alloc(100_000),
      ...[2, 20, 200, 2_000, jpeg.length - 2].map((length) => jpeg.subarray(0, length)),
      Buffer.concat([jpeg.subarray(0, 700), Buffer.alloc(5_000, 0xff), jpeg.subarray(5_700)]),
    ];
    for (const [index, picture] of damaged.entries()) {
      assert.equal(
        await codeOf(vision.detect(picture, { exact: index % 2 === 0 }, never)),
        "IMAGE_UNREADABLE",
        `${index}`,
      );
      assert.equal(await codeOf(vision.reencode(picture, { quality: 80 }, never)), "IMAGE_UNREADABLE", `${index}`);
    }
    assert.equal((await vision.detect(jpeg, { exact: false }, never)).width, 1_280);
    assert.equal(vision.health().restarts, 0);
  });

  it("refuses a picture that is larger than a message without sending it, and serves the next one", async () => {
    const large = Buffer.concat([jpeg, Buffer.alloc(visionLimits.messageBytesMax - jpeg.length)]);
    assert.equal(await codeOf(vision.detect(large, { exact: false }, never)), "IMAGE_TOO_LARGE");
    assert.equal(await codeOf(vision.reencode(large, { quality: 80 }, never)), "IMAGE_TOO_LARGE");
    const longest = `${svg}<!--${" ".repeat(visionLimits.messageBytesMax)}-->`;
    assert.equal(await codeOf(vision.render(longest, { quality: 80 }, never)), "IMAGE_TOO_LARGE");
    await assert.rejects(vision.detect(large, { exact: false }, never), { disposition: "reject" });
    assert.ok((await vision.detect(jpeg, { exact: false }, never)).detections.length > 0);
    assert.deepEqual([vision.health().restarts, vision.health().lastError], [0, undefined]);
  });

  it("survives flipped bytes anywhere in the picture", async () => {
    const small = await vision.reencode(jpeg, { quality: 80, widthMax: 640 }, never);
    const random = seededRandom(8);
    for (let round = 0; round < 100; round += 1) {
      const picture = Buffer.from(small.jpeg);
      for (let flips = 0; flips < 4; flips += 1)
        picture[Math.floor(random() * picture.length)] = Math.floor(random() * 256);
      assert.match(await codeOf(vision.detect(picture, { exact: false }, never)), /^(none|IMAGE_UNREADABLE)$/);
    }
    assert.equal(vision.health().restarts, 0);
  });
});

describe("vision with a bad model", () => {
  async function withModel<T>(bytes: Buffer, manifest: object, work: (model: ModelSpec) => Promise<T>): Promise<T> {
    await using folder = await tempFolder();
    const file = join(folder.path, "model.onnx");
    await writeFile(file, bytes);
    await writeFile(`${file}.json`, JSON.stringify(manifest));
    return await work(await resolveModel(file, { modelsFolders: [] }));
  }

  /** Of one real process that loads many: for what differs from a whole life with such a model in its code alone. */
  const loadCode = async (models: ManyModels, bytes: Buffer, manifest: object = {}) =>
    await withModel(bytes, manifest, async (model) => await codeOf(models.load(model)));

  const startWith = async (bytes: Buffer) => await withModel(bytes, {}, liveWith);

  async function liveWith(model: ModelSpec): Promise<{ code: string; message: string }> {
    await using vision = visionProcess({ model });
    let message = "";
    const code = await codeOf(
      vision.start(never).catch((error: unknown) => {
        message = error instanceof Error ? error.message : "";
        throw error;
      }),
    );
    // Whatever the model is, pictures still go through, and detection repeats what is wrong.
    const { jpeg } = await vision.render(svg, { quality: 80 }, never);
    assert.equal((await vision.thumbnail(jpeg, { sideMax: 64, quality: 50 }, never)).width, 64);
    assert.equal(await codeOf(vision.detect(jpeg, { exact: false }, never)), code);
    assert.equal(vision.health().state, "ready");
    assert.equal(vision.health().lastError?.code, code);
    return { code, message };
  }

  it("says that a file is not ONNX", async () => {
    assert.equal((await startWith(Buffer.from("<html>login</html>"))).code, "MODEL_NOT_ONNX");
  });

  it("says that a file is cut, wherever it is cut", async () => {
    const whole = await readFile(join(repositoryFolder, "models", "tiny", "tiny-yolo8.onnx"));
    assert.equal((await startWith(whole.subarray(0, 300))).code, "MODEL_TRUNCATED");
    await using models = new ManyModels();
    for (const cut of [0, 1, whole.length >> 1, whole.length - 1]) {
      assert.equal(await loadCode(models, whole.subarray(0, cut)), "MODEL_TRUNCATED", `cut at ${cut}`);
    }
  });

  it("refuses an unknown family, naming what it reads and the line to add", async () => {
    const graph = new GraphWriter();
    graph.output(graph.node("GlobalAveragePool", ["in"]), "out");
    const bytes = graph.model(
      "pool",
      { name: "in", shape: [1, 3, 64, 64] },
      [{ name: "out", shape: [1, 3, 1, 1] }],
      {},
    );
    const { code, message } = await startWith(bytes);
    assert.equal(code, "MODEL_UNKNOWN_FAMILY");
    assert.match(message, /"family": .*"yolo8".*"end-to-end".*"ssd"/);
  });

  it("refuses boxes that are raw offsets although their form is right", async () => {
    const graph = new GraphWriter();
    const offsets = Array.from({ length: 400 }, (_, index) => Math.sin(index * 7));
    const zero = graph.node("Mul", [graph.node("GlobalAveragePool", ["in"]), graph.floats([0])]);
    const nothing = graph.node("ReduceSum", [zero, graph.ints([1, 2, 3])], { keepdims: 0 });
    const spread = (values: number[], shape: number[]) => graph.node("Add", [graph.floats(values, shape), nothing]);
    graph.output(spread(new Array<number>(200).fill(0.5), [1, 100, 2]), "scores");
    graph.output(spread(offsets, [1, 100, 4]), "boxes");
    const outputs = [
      { name: "scores", shape: [1, 100, 2] },
      { name: "boxes", shape: [1, 100, 4] },
    ];
    const { code, message } = await startWith(graph.model("raw", { name: "in", shape: [1, 3, 64, 64] }, outputs, {}));
    assert.equal(code, "MODEL_UNKNOWN_FAMILY");
    assert.match(message, /offsets/);
  });

  it("reports what ONNX Runtime refuses", async () => {
    const graph = new GraphWriter();
    graph.output(graph.node("NoSuchOperator", ["in"]), "out");
    const bytes = graph.model("odd", { name: "in", shape: [1, 3, 64, 64] }, [{ name: "out", shape: [1, 7, 84] }], {});
    assert.equal((await startWith(bytes)).code, "MODEL_FAILED");
  });

  it("refuses a manifest that names a family the file cannot be", async () => {
    const whole = await readFile(join(repositoryFolder, "models", "tiny", "tiny-yolo8.onnx"));
    await using models = new ManyModels();
    assert.equal(await loadCode(models, whole, { family: "ssd" }), "MODEL_UNKNOWN_FAMILY");
    assert.equal(await loadCode(models, whole, { input: { width: 320 } }), "MODEL_INPUT");
  });

  it("reports a file that has gone since it was found", async () => {
    const model = { ...(await tinyModel()), file: "/nowhere/gone.onnx" };
    await using vision = visionProcess({ model });
    assert.equal(await codeOf(vision.start(never)), "MODEL_NOT_FOUND");
  });

  it("does everything but detect without a model", async () => {
    await using vision = visionProcess({ model: undefined });
    await vision.start(never);
    const { jpeg } = await vision.render(svg, { quality: 80 }, never);
    assert.equal(await codeOf(vision.detect(jpeg, { exact: false }, never)), "MODEL_NONE");
    assert.equal(vision.model(), undefined);
  });
});

describe("vision process that dies or hangs", () => {
  it("costs the calls in flight when it is killed, fails others at once, and comes back", async function () {
    this.timeout(20_000);
    await using vision = visionProcess({ model: await tinyModel(), backoffFirstMs: 300 });
    await vision.start(never);
    const { jpeg } = await vision.render(svg, { quality: 90 }, never);
    const pid = pidOf(vision);
    const calls = Array.from({ length: 3 }, async () => codeOf(vision.detect(jpeg, { exact: true }, never)));
    process.kill(pid, "SIGKILL");
    assert.deepEqual(await Promise.all(calls), ["VISION_CRASHED", "VISION_UNAVAILABLE", "VISION_UNAVAILABLE"]);
    const askedAtMs = performance.now();
    assert.equal(await codeOf(vision.detect(jpeg, { exact: true }, never)), "VISION_UNAVAILABLE");
    assert.ok(performance.now() - askedAtMs < 50);
    assert.equal(vision.health().lastError?.code, "VISION_CRASHED");
    await until(() => vision.health().state === "ready", "it is ready again");
    assert.notEqual(pidOf(vision), pid);
    assert.equal(vision.health().restarts, 1);
    assert.ok((await vision.detect(jpeg, { exact: true }, never)).detections.length > 0);
  });

  it("tells what it said before it crashed, without a byte of a picture", async () => {
    const jpeg = await sharp(Buffer.from(svg)).jpeg({ quality: 90 }).toBuffer();
    const dumps = [
      "process.stderr.write(jpeg)",
      "process.stderr.write(jpeg.toString('base64'))",
      "console.error(jpeg)",
      "console.error(new Uint8Array(jpeg))",
      "console.error(jpeg.toString('hex').match(/.{1,76}/g).join('\\n'))",
      "console.error(jpeg.toString('base64').match(/.{1,76}/g).join('\\n'))",
    ];
    for (const dump of dumps) {
      const script = `const jpeg = Buffer.from(${JSON.stringify(jpeg.toString("base64"))}, "base64");
        console.error("picture library: cannot go on");
        ${dump}; process.exitCode = 3;`;
      const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
      const stream: unknown = child.stdio[3];
      assert.ok(stream instanceof Duplex);
      const { code, message } = await new VisionChild(child, stream).ended;
      assert.equal(code, "VISION_CRASHED");
      const shown = message.replace("the vision process is gone: it ended with code 3", "");
      assert.match(
        shown,
        /^(, after: picture library: cannot go on( Uint8Array\(\d+\) \[ ... \d+ more items)?)?$/,
        `${dump}: ${message}`,
      );
    }
  });

  it("is ended when it hangs past the deadline, and comes back", async function () {
    this.timeout(20_000);
    await using vision = visionProcess({ model: await tinyModel(), callTimeoutMs: 1_000, backoffFirstMs: 100 });
    await vision.start(never);
    const { jpeg } = await vision.render(svg, { quality: 90 }, never);
    const pid = pidOf(vision);
    process.kill(pid, "SIGSTOP");
    assert.equal(await codeOf(vision.detect(jpeg, { exact: false }, never)), "VISION_TIMEOUT");
    await until(() => !isAlive(pid), "it is gone");
    await until(() => vision.health().state === "ready", "it is ready again");
    // On a busy machine a detection takes longer than the deadline that is so short here.
    let found = 0;
    for (let tries = 0; tries < 10 && found === 0; tries += 1)
      found = await vision.detect(jpeg, { exact: false }, never).then(
        ({ detections }) => detections.length,
        () => 0,
      );
    assert.ok(found > 0);
  });

  it("leaves nothing behind when it is stopped, even hanging, and can be started again", async function () {
    this.timeout(20_000);
    const vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
    const first = pidOf(vision);
    process.kill(first, "SIGSTOP");
    await vision.stop();
    await vision.stop();
    assert.equal(isAlive(first), false);
    assert.deepEqual([vision.health().state, vision.health().pid], ["stopped", undefined]);
    assert.equal(await codeOf(vision.render(svg, { quality: 80 }, never)), "VISION_UNAVAILABLE");
    await vision.start(never);
    assert.equal(vision.health().state, "ready");
    await vision.stop();
  });

  it("stops while it is still loading", async () => {
    const giveUp = new AbortController();
    const vision = visionProcess({ model: await tinyModel() });
    const started = vision.start(giveUp.signal);
    const pid = pidOf(vision);
    giveUp.abort();
    await assert.rejects(started, { name: "AbortError" });
    assert.equal(isAlive(pid), false);
  });

  it("ends by itself when the main process dies", async function () {
    this.timeout(20_000);
    const script = `
      const { visionProcess, tinyModel, never } = await import(${JSON.stringify(join(import.meta.dirname, "../lib/vision.js"))});
      const vision = visionProcess({ model: await tinyModel() });
      await vision.start(never);
      console.log(vision.health().pid);
      process.kill(process.pid, "SIGKILL");`;
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    const { stdout } = await run.catch((error: unknown) => error as { stdout: string });
    const pid = Number(stdout);
    assert.ok(pid > 0);
    await until(() => !isAlive(pid), "the vision process has ended");
  });

  it("shows no secret of the main process in its own arguments or environment", async () => {
    process.env["FRAMEPOST_TEST_SECRET"] = "swordfish";
    await using vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
    delete process.env["FRAMEPOST_TEST_SECRET"];
    const folder = `/proc/${pidOf(vision)}`;
    const seen = (await readFile(`${folder}/environ`, "latin1")) + (await readFile(`${folder}/cmdline`, "latin1"));
    assert.ok(seen.includes("PATH="));
    assert.equal(seen.includes("swordfish"), false);
  });
});

describe("a vision process whose native code misbehaves", () => {
  const program = join(import.meta.dirname, "../lib/vision-stand-in.js");
  const picture = Buffer.from("a picture");
  const pacing = { backoffFirstMs: 20, loadTimeoutMs: 1_000, callTimeoutMs: 1_000 };

  async function standIn(behaviour: string, options: Partial<VisionOptions> = {}) {
    const folder = await tempFolder();
    const file = join(folder.path, "lives");
    await writeFile(file, "0");
    const model = { name: behaviour, file, sha256: "0".repeat(64), manifest: {} };
    const vision = visionProcess({ model, program, ...pacing, ...options });
    return Object.assign(vision, {
      [Symbol.asyncDispose]: async () => {
        await vision.stop();
        await folder[Symbol.asyncDispose]();
      },
    });
  }

  const ends: readonly (readonly [behaviour: string, code: string, says: RegExp])[] = [
    ["SIGILL", "VISION_CRASHED", /SIGILL: this processor lacks an instruction that the model or its runtime needs/],
    ["SIGSEGV", "VISION_CRASHED", /SIGSEGV: its native code failed/],
    ["SIGKILL", "VISION_CRASHED", /SIGKILL: perhaps the system ran out of memory/],
    ["abort", "VISION_CRASHED", /SIGABRT: its native code failed/],
    ["hang", "VISION_TIMEOUT", /did not load within 1000 ms and was ended/],
  ];
  for (const [behaviour, code, says] of ends) {
    it(`comes back after ${behaviour} while loading, saying what it was`, async function () {
      this.timeout(20_000);
      await using vision = await standIn(`${behaviour}-until-1`);
      await assert.rejects(vision.start(never), (error) => {
        return error instanceof AgentError && error.code === code && says.test(error.message);
      });
      await until(() => vision.health().state === "ready", "it is ready");
      assert.equal((await vision.detect(picture, { exact: false }, never)).width, 64);
      assert.deepEqual([vision.health().restarts, vision.health().lastError?.code], [1, code]);
    });
  }

  it("leaves a model alone on which three have died, serves pictures meanwhile, and tries it again", async function () {
    this.timeout(20_000);
    await using vision = await standIn("SIGILL-until-4", { modelRetryFirstMs: 400 });
    assert.equal(await codeOf(vision.start(never)), "VISION_CRASHED");
    for (const restarts of [3, 5]) {
      await until(() => vision.health().state === "ready" && vision.health().restarts === restarts, "it has given up");
      await assert.rejects(vision.detect(picture, { exact: false }, never), {
        code: "MODEL_CRASHES",
        message: /SIGILL/,
      });
      assert.equal((await vision.thumbnail(picture, { sideMax: 64, quality: 50 }, never)).width, 64);
    }
    await until(
      () => vision.model() !== undefined && vision.health().state === "ready",
      "the fifth life has the model",
    );
    assert.equal((await vision.detect(picture, { exact: false }, never)).width, 64);
  });

  it("is replaced between two calls when it leaks past its limit, and no call is lost", async function () {
    this.timeout(20_000);
    await using vision = await standIn("leak", { rssBytesMax: 150_000_000 });
    await vision.start(never);
    const first = pidOf(vision);
    const codes = new Set<string>();
    for (let call = 0; call < 10; call += 1) codes.add(await codeOf(vision.detect(picture, { exact: false }, never)));
    assert.deepEqual([...codes], ["none"]);
    assert.notEqual(pidOf(vision), first);
    assert.equal(isAlive(first), false);
    assert.equal(vision.health().lastError?.code, "VISION_MEMORY");
    assert.match(vision.health().lastError?.message ?? "", /it had \d+ MB and may have 150$/);
    assert.ok(vision.health().rssPeakBytes < 300_000_000);
  });

  it("is replaced when it has grown and the service comes near its bound, once, and no call is lost", async function () {
    this.timeout(20_000);
    await using vision = await standIn("leak", { groupMemory: () => ({ usedBytes: 290e6, boundBytes: 300e6 }) });
    await vision.start(never);
    const codes = new Set<string>();
    for (let call = 0; call < 10; call += 1) codes.add(await codeOf(vision.detect(picture, { exact: false }, never)));
    assert.deepEqual([...codes], ["none"]);
    assert.equal(vision.health().restarts, 1);
    assert.match(vision.health().lastError?.message ?? "", /the service has 290 MB and may have 300$/);
  });

  it("does not blame the model for a stop while it loads", async () => {
    await using vision = await standIn("hang", { loadTimeoutMs: 200 });
    for (let stops = 0; stops < 3; stops += 1) {
      const starting = codeOf(vision.start(never));
      await vision.stop();
      assert.equal(await starting, "VISION_UNAVAILABLE");
    }
    assert.equal(await codeOf(vision.start(never)), "VISION_TIMEOUT");
  });

  it("is not replaced over and over when it is simply larger than its limit", async function () {
    this.timeout(20_000);
    await using vision = await standIn("large", { rssBytesMax: 1_000_000, backoffFirstMs: 150 });
    await vision.start(never);
    const startedMs = performance.now();
    while (performance.now() < startedMs + 1_500) {
      await vision.detect(picture, { exact: false }, never);
      await delay(10);
    }
    const { restarts } = vision.health();
    // After 0, 150, 300 and 600 ms of service.
    assert.ok(restarts >= 2 && restarts <= 4, String(restarts));
  });
});
