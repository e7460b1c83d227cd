import assert from "node:assert/strict";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { ffmpegDriver } from "../../src/capture/ffmpeg/driver.ts";
import { inputOf } from "../../src/capture/ffmpeg/input.ts";
import type { FfmpegOptions } from "../../src/capture/ffmpeg/options.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { scanJpeg } from "../../src/core/jpeg.ts";
import { CameraWebServer } from "../lib/camera-web-server.ts";
import { basicGate } from "../lib/digest-gate.ts";
import { usualFfmpeg } from "../lib/ffmpeg-options.ts";
import { h264Film, jpegFilm } from "../lib/films.ts";
import { mjpegAnswer } from "../lib/mjpeg-server.ts";
import { jpegOf, shades } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { RtspServer } from "../lib/rtsp-server.ts";
import { tempFolder } from "../lib/temp.ts";
import { cameraDriverContract, type DriverUnderTest } from "./camera-driver.ts";

const clock = new SystemClock();
const user = "viewer";
const password = `it's "100% se/cret" @:`;

describe("ffmpeg driver", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let folder = "";
  let film = "";

  before(async function () {
    needsProgram(this, "ffmpeg", "ffmpeg");
    temp = await tempFolder();
    folder = temp.path;
    await mkdir(join(folder, "scratch"));
    await mkdir(join(folder, "short"));
    film = jpegFilm(join(folder, "short"), { framesPerSecond: 20, seconds: 0.5 });
  });

  after(async () => temp?.[Symbol.asyncDispose]());

  function subject(input: string, options: Partial<FfmpegOptions> = {}): DriverUnderTest {
    const driver = ffmpegDriver({ ...usualFfmpeg, intervalMs: 20, input: inputOf(input), ...options }, clock);
    const finite = options.loop === false;
    return { driver, scratch: join(folder, "scratch"), changes: true, finite, dispose: async () => undefined };
  }

  cameraDriverContract("generated", async () => subject("lavfi:testsrc2=size=320x240:rate=50"));
  cameraDriverContract("a film of JPEGs, once", async () => subject(film, { loop: false }));

  it("plays a film again at its end, copied or encoded and scaled", async () => {
    const long = jpegFilm(folder);
    const cases = [
      [long, {}, 320],
      [h264Film(folder), { width: 160 }, 160],
    ] as const;
    for (const [film, options, width] of cases) {
      const { driver } = subject(film, { ...options, paced: false, intervalMs: 0 });
      await driver.start(AbortSignal.timeout(5_000));
      const shot = await driver.shot(AbortSignal.timeout(5_000));
      assert.ok(shot.kind === "image");
      const scan = scanJpeg(shot.jpeg);
      assert.equal(scan.kind === "complete" && scan.facts.width, width);
      // Longer than the film.
      await until(() => (driver.stream?.framesSeen() ?? 0) > 60, "more frames than the film has");
      await driver.stop();
    }
  });

  describe("over RTSP", () => {
    const server = new RtspServer(user, password);
    before(async function () {
      this.timeout(10_000);
      await server.start(this);
    });
    after(() => server.kill());

    cameraDriverContract("H.264", async () => subject(server.url("open", "/h264"), { encoding: "jpeg" }));
    cameraDriverContract("JPEGs, Digest", async () =>
      subject(server.url("digest", "/mjpeg"), { username: user, password }),
    );

    it("gives frames by UDP as well", async () => {
      const { driver } = subject(server.url("open", "/mjpeg"), { transport: "udp" });
      await driver.start(AbortSignal.timeout(5_000));
      assert.equal((await driver.shot(AbortSignal.timeout(5_000))).kind, "image");
      await driver.stop();
    });
  });

  describe("over HTTP", () => {
    let server: CameraWebServer | undefined;
    before(async () => {
      const answer = mjpegAnswer({ pictures: await shades(), periodMs: 10 });
      server = await new CameraWebServer(answer, { gate: basicGate(user, password) }).start();
    });
    after(async () => server?.stop());

    it("is one viewer at a time, though it asks first what the camera gives", async () => {
      const answer = mjpegAnswer({ pictures: [await jpegOf(90)] });
      const viewers = { now: 0, most: 0 };
      const counting = new CameraWebServer((request, response) => {
        viewers.now += 1;
        viewers.most = Math.max(viewers.most, viewers.now);
        response.once("close", () => (viewers.now -= 1));
        answer(request, response);
      });
      await counting.start();
      const { driver } = subject(counting.url("/"));
      await driver.start(AbortSignal.timeout(5_000));
      assert.equal((await driver.shot(AbortSignal.timeout(5_000))).kind, "image");
      await driver.stop();
      await counting.stop();
      assert.deepEqual([counting.requests.length, viewers.most], [2, 1]);
    });

    cameraDriverContract("MJPEG, Basic", async () => subject(server?.url("/") ?? "", { username: user, password }));
  });

  cameraDriverContract("a V4L2 device, a stand-in for ffmpeg", async () => {
    const program = join(folder, "stand-in");
    // It answers for a device, and plays a film in its place.
    const lines = [
      "#!/bin/sh",
      'case "$*" in *list_formats*) echo "[v4l2 @ 0x1] Compressed:  mjpeg :  Motion-JPEG : 320x240" >&2; exit 1;; esac',
      `exec ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i ${film} -c copy -f mpjpeg pipe:1`,
    ];
    await writeFile(program, `${lines.join("\n")}\n`);
    await chmod(program, 0o755);
    const device = join(folder, "usb-camera");
    await symlink("/dev/null", device).catch(() => undefined);
    return subject("/dev/null", { program, input: { kind: "v4l2", device } });
  });
});
