import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { streamRun } from "../../src/capture/ffmpeg/arguments.ts";
import { ffmpegCamera, ffmpegOptions } from "../../src/capture/ffmpeg/config.ts";
import { ffmpegDriver } from "../../src/capture/ffmpeg/driver.ts";
import { MultipartSplitter } from "../../src/capture/stream/multipart-splitter.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { CameraWebServer } from "../lib/camera-web-server.ts";
import { makeAuthority, makeCertificate } from "../lib/certificates.ts";
import { h264Film } from "../lib/films.ts";
import { mjpegAnswer } from "../lib/mjpeg-server.ts";
import { jpegOf } from "../lib/pictures.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

const clock = new SystemClock();

function optionsOf(input: string, more: object = {}) {
  return ffmpegOptions(ffmpegCamera.parse({ id: "door", driver: "ffmpeg", input, ...more }));
}

/** The frames of a run to its end, as fast as it goes; it must have nothing to say. */
function framesOf(input: string, more: object): readonly Buffer[] {
  const options = { ...optionsOf(input, { loop: false, ...more }), paced: false };
  const { argv } = streamRun(options, "jpeg");
  const { status, stdout, stderr } = spawnSync(options.program, argv, {
    maxBuffer: 64 * 1_024 * 1_024,
    timeout: 20_000,
  });
  assert.deepEqual([status, stderr.toString()], [0, ""]);
  const frames: Buffer[] = [];
  new MultipartSplitter(1_000_000, (view) => frames.push(Buffer.from(view))).push(stdout);
  return frames;
}

describe("pictures that ffmpeg encodes", () => {
  before(function () {
    needsProgram(this, "ffmpeg", "ffmpeg");
  });

  it("are as many as are wanted, at least one a second, and none twice", async () => {
    await using temp = await tempFolder();
    const film = h264Film(temp.path, { framesPerSecond: 25, seconds: 6 });
    assert.equal(framesOf(film, { interval: "0s" }).length, 150);
    // The first frame comes at once, and a rate that is not exact makes one more in these six seconds.
    for (const [wanted, count] of [
      [{ interval: "5s" }, 6],
      [{ framesPerSecond: 2 }, 12],
    ] as const) {
      const { length } = framesOf(film, wanted);
      assert.ok(length === count || length === count + 1, `${length} of ${count}`);
    }
    const slow = h264Film(temp.path, { framesPerSecond: 2, seconds: 3 });
    const all = framesOf(slow, { framesPerSecond: 10 });
    assert.equal(new Set(all.map((jpeg) => jpeg.toString("base64"))).size, 6);
    assert.equal(all.length, 6);
  });

  it("have the whole range from black to white, whatever range the source has", async () => {
    const graph = "color=black:size=64x64:rate=5:duration=1,drawbox=x=32:color=white:t=fill,format=yuv420p";
    const [jpeg] = framesOf(`lavfi:${graph}`, { interval: "0s", quality: 95 });
    const { channels } = await sharp(jpeg).stats();
    for (const { min, max } of channels) assert.ok(min <= 3 && max >= 252, `${min} to ${max}`);
  });
});

describe("an https camera through ffmpeg", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let server: CameraWebServer | undefined;
  let authority = "";

  before(async function () {
    needsProgram(this, "ffmpeg", "ffmpeg");
    needsProgram(this, "openssl", "openssl");
    temp = await tempFolder();
    const made = await makeAuthority(temp.path, "authority");
    authority = made.cert;
    const camera = await makeCertificate(temp.path, "camera", made, { subjectAltName: "DNS:localhost" });
    const tls = { cert: await readFile(camera.cert), key: await readFile(camera.key) };
    const pictures = await Promise.all([50, 100, 150].map((shade) => jpegOf(shade)));
    server = await new CameraWebServer(mjpegAnswer({ pictures }), { tls }).start();
  });

  after(async () => {
    await server?.stop();
    await temp?.[Symbol.asyncDispose]();
  });

  async function shotWith(tls: object): Promise<string> {
    const driver = ffmpegDriver(optionsOf(`https://localhost:${server?.port}/`, { tls }), clock);
    try {
      await driver.start(AbortSignal.timeout(5_000));
      return (await driver.shot(AbortSignal.timeout(5_000))).kind;
    } catch (error) {
      assert.ok(error instanceof AgentError, String(error));
      return error.code;
    } finally {
      await driver.stop();
    }
  }

  it("is read when its certificate is trusted, or need not be, and refused otherwise", async () => {
    assert.equal(await shotWith({ ca: authority }), "image");
    assert.equal(await shotWith({ insecureSkipVerify: true }), "image");
    assert.equal(await shotWith({}), "CAMERA_TLS");
    const other = await makeAuthority(temp?.path ?? "", "other");
    assert.equal(await shotWith({ ca: other.cert }), "CAMERA_TLS");
  });
});
