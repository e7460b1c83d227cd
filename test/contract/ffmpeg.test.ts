import { once } from "node:events";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe } from "mocha";
import { ffmpegDriver } from "../../src/capture/ffmpeg/driver.ts";
import { inputOf } from "../../src/capture/ffmpeg/input.ts";
import type { FfmpegOptions } from "../../src/capture/ffmpeg/options.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { h264Film, jpegFilm } from "../lib/films.ts";
import { jpegOf } from "../lib/pictures.ts";
import { needsProgram } from "../lib/programs.ts";
import { RtspServer } from "../lib/rtsp-server.ts";
import { tempFolder } from "../lib/temp.ts";
import { cameraDriverContract, type DriverUnderTest } from "./camera-driver.ts";

const clock = new SystemClock();
const user = "viewer";
const password = `it's "100% se/cret" @:`;

const usual = {
  transport: "tcp",
  encoding: "auto",
  quality: 85,
  loop: true,
  paced: true,
  program: "ffmpeg",
  insecureSkipVerify: false,
  intervalMs: 100,
} as const;

describe("ffmpeg driver", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>>;
  let films: { readonly jpeg: string; readonly h264: string; readonly short: string };

  before(async function () {
    needsProgram(this, "ffmpeg", "ffmpeg");
    temp = await tempFolder();
    await mkdir(join(temp.path, "scratch"));
    await mkdir(join(temp.path, "short"));
    const short = jpegFilm(join(temp.path, "short"), { framesPerSecond: 10, seconds: 1 });
    films = { jpeg: jpegFilm(temp.path), h264: h264Film(temp.path), short };
  });

  after(async () => temp?.[Symbol.asyncDispose]());

  function subject(input: string, options: Partial<FfmpegOptions> = {}): DriverUnderTest {
    const driver = ffmpegDriver({ ...usual, input: inputOf(input), ...options }, clock);
    const finite = options.loop === false;
    return { driver, scratch: join(temp.path, "scratch"), changes: true, finite, dispose: async () => undefined };
  }

  cameraDriverContract("generated", async () => subject("lavfi:testsrc2=size=320x240:rate=25"));
  cameraDriverContract("a film of JPEGs, again and again", async () => subject(films.jpeg));
  cameraDriverContract("a film of JPEGs, once", async () => subject(films.short, { loop: false }));
  cameraDriverContract("a film of H.264, scaled", async () => subject(films.h264, { width: 160 }));

  describe("over RTSP", () => {
    const server = new RtspServer(user, password);
    before(async function () {
      this.timeout(10_000);
      await server.start(this);
    });
    after(() => server.kill());

    cameraDriverContract("H.264", async () => subject(server.url("open", "/h264")));
    cameraDriverContract("JPEGs, Digest", async () =>
      subject(server.url("digest", "/mjpeg"), { username: user, password }),
    );
  });

  describe("over HTTP", () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "multipart/x-mixed-replace; boundary=frame" });
      let shade = 0;
      const timer = setInterval(() => {
        shade = (shade + 37) % 256;
        void jpegOf(shade).then((jpeg) => {
          response.write(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
          response.write(jpeg);
          response.write("\r\n");
        });
      }, 30);
      response.on("close", () => clearInterval(timer));
    });
    before(async () => {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    });
    after(() => server.close());

    cameraDriverContract("MJPEG", async () => subject(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`));
  });

  cameraDriverContract("a V4L2 device, a stand-in for ffmpeg", async () => {
    const program = join(temp.path, "stand-in");
    const frames = await readFile(films.jpeg);
    await writeFile(join(temp.path, "frames.avi"), frames);
    // It answers for a device, and plays a film in its place.
    const lines = [
      "#!/bin/sh",
      'case "$*" in *list_formats*) echo "[v4l2 @ 0x1] Compressed:  mjpeg :  Motion-JPEG : 320x240" >&2; exit 1;; esac',
      `exec ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i ${films.jpeg} -c copy -f mpjpeg pipe:1`,
    ];
    await writeFile(program, `${lines.join("\n")}\n`);
    await chmod(program, 0o755);
    const device = join(temp.path, "usb-camera");
    await symlink("/dev/null", device).catch(() => undefined);
    return subject("/dev/null", { program, input: { kind: "v4l2", device } });
  });
});
