import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import sharp from "sharp";
import { takeShot } from "../../agent/camera-shot.ts";
import { composeAgent } from "../../agent/compose.ts";
import { configSchema } from "../../agent/config-schema.ts";
import { Lifecycle } from "../../agent/lifecycle.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { PrivacyMask } from "../../src/core/privacy.ts";
import { writeConfig } from "../lib/agent.ts";
import { CameraWebServer } from "../lib/camera-web-server.ts";
import { commandContext } from "../lib/command-context.ts";
import { purpleIn, secretPicture } from "../lib/masked-pictures.ts";
import { until } from "../lib/poll.ts";
import { randomScene } from "../lib/scenes.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";
import { never, tinyModel, visionProcess } from "../lib/vision.ts";

const random = seededRandom(8);
const half = (width: number, height: number): PrivacyMask => ({
  size: { width, height },
  polygons: [
    [
      [0, 0],
      [width / 2, 0],
      [width / 2, height],
      [0, height],
    ],
  ],
});
const mask = half(160, 120);

/** An HTTP camera that shows what it is told to, and an agent with a mask for it. */
async function watched(camera: object = {}) {
  const temp = await tempFolder();
  const shown = { jpeg: await secretPicture(mask, 6, random) };
  const server = await new CameraWebServer((_request, response) => {
    response.writeHead(200, { "content-type": "image/jpeg" }).end(shown.jpeg);
  }).start();
  const config = {
    cameras: [
      { id: "gate", driver: "http-snapshot", url: server.url("/"), interval: "100ms", privacy: { mask }, ...camera },
    ],
    targets: [{ id: "set", kind: "folder", path: join(temp.path, "set"), includeEmpty: true, includeUnlabelled: true }],
  };
  const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
  const agent = await composeAgent(configSchema.parse(config), { dataFolder: join(temp.path, "data") }, seams);
  const [front] = agent.cameras;
  assert.ok(front !== undefined);
  const file = await writeConfig(temp.path, config);
  const lifecycle = new Lifecycle([agent.parts.vision, ...agent.parts.capturing.slice(0, -1)], seams.log);
  return {
    ...{ shown, agent, camera: front, file, lifecycle, path: temp.path },
    async [Symbol.asyncDispose]() {
      await lifecycle.stop();
      await server.stop();
      await temp[Symbol.asyncDispose]();
    },
  };
}

describe("a camera with a privacy mask, and the vision process", function () {
  this.timeout(60_000);

  it("stops with a clear state when its size changes, and comes back when it fits again", async () => {
    await using gate = await watched();
    await gate.lifecycle.start(never);
    const frame = await gate.camera.nextFrame(never);
    assert.deepEqual([frame?.width, frame?.height], [160, 120]);
    assert.equal((await purpleIn(frame?.jpeg ?? Buffer.of(), mask)).inside, 0);

    const fitting = gate.shown.jpeg;
    gate.shown.jpeg = await secretPicture(half(168, 120), 1, random);
    await until(() => gate.camera.health().state === "blocked", "it is blocked", 20_000);
    assert.equal(gate.camera.health().lastError?.code, "CAMERA_MASK_MISFIT");
    const before = gate.camera.health().framesCaptured;
    gate.camera.reopen();
    await until(() => gate.camera.health().state === "blocked", "it is blocked again", 20_000);
    assert.equal(gate.camera.health().framesCaptured, before);

    gate.shown.jpeg = fitting;
    gate.camera.reopen();
    await until(() => gate.camera.health().state === "running", "it is back", 20_000);
  });

  it("gives nothing while the vision process is dead", async () => {
    await using gate = await watched();
    await gate.lifecycle.start(never);
    await gate.camera.nextFrame(never);
    const { pid } = gate.agent.vision.health();
    assert.ok(pid !== undefined);
    process.kill(pid, "SIGKILL");
    // Whatever comes after it was painted, by the next one.
    for (let frames = 0; frames < 3; frames += 1) {
      const frame = await gate.camera.nextFrame(never);
      assert.equal((await purpleIn(frame?.jpeg ?? Buffer.of(), mask)).inside, 0);
    }
    assert.equal(gate.agent.vision.health().restarts, 1);
    assert.equal(gate.camera.health().restarts, 0);
  });

  it("is masked for whoever asks for a picture at the command line", async () => {
    await using gate = await watched();
    const shot = await takeShot(
      { ...commandContext(), configFile: gate.file, dataFolder: join(gate.path, "data") },
      "gate",
    );
    assert.deepEqual([shot.width, shot.height, (await purpleIn(shot.jpeg, mask)).inside], [160, 120, 0]);
  });
});

describe("blurred labels, and the vision process", function () {
  this.timeout(60_000);

  it("leave nothing to recognise of what the detector finds, wherever a picture is shown", async () => {
    await using vision = visionProcess({ model: await tinyModel() });
    await vision.start(never);
    const { svg, objects } = randomScene(seededRandom(2));
    // Letters on everything: what is left of them is what could be read.
    const texts = objects.map(({ box }) => {
      const lines = Array.from({ length: 60 }, (_, at) => `M${box.left} ${box.top + at * 6} h${box.width}`).join(" ");
      return `<path d="${lines}" stroke="#ffffff" stroke-width="2" opacity="0.25"/>`;
    });
    const { jpeg } = await vision.render(svg.replace("</svg>", `${texts.join("")}</svg>`), { quality: 95 }, never);
    const found = await vision.detect(jpeg, { exact: false }, never);
    const labels = [...new Set(found.detections.map(({ label }) => label))];
    assert.ok(labels.length > 0);

    const blur = { labels, margin: 0.1, minScore: 0.1 };
    await using gate = await watched({ privacy: { blur } });
    gate.shown.jpeg = jpeg;
    const shot = await takeShot(
      { ...commandContext(), configFile: gate.file, dataFolder: join(gate.path, "data") },
      "gate",
    );
    const best = found.detections[0]?.box;
    assert.ok(best !== undefined);
    const area = {
      ...{ left: Math.round(best.left), top: Math.round(best.top) },
      ...{ width: Math.floor(best.width), height: Math.floor(best.height) },
    };
    const [sharpBefore, sharpAfter] = [await edgesIn(jpeg, area), await edgesIn(shot.jpeg, area)];
    assert.ok(sharpAfter < sharpBefore / 3, `${sharpAfter} of ${sharpBefore}`);
  });

  it("keep a picture from the disk as long as nobody has seen what is in it", async () => {
    await using gate = await watched({ privacy: { blur: { labels: ["no such label"] } } });
    const context = { ...commandContext(), configFile: gate.file, dataFolder: join(gate.path, "data") };
    await assert.rejects(takeShot(context, "gate"), { code: "BLUR_LABEL_UNKNOWN" });
  });
});

/** How much neighbouring rows differ on average: what fine lines are made of. */
async function edgesIn(
  jpeg: Buffer,
  area: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
): Promise<number> {
  const { data, info } = await sharp(jpeg).extract(area).greyscale().raw().toBuffer({ resolveWithObject: true });
  let sum = 0;
  for (let at = info.width; at < data.length; at += 1) sum += Math.abs((data[at] ?? 0) - (data[at - info.width] ?? 0));
  return sum / (data.length - info.width);
}
