import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import sharp from "sharp";
import { takeShot } from "../../agent/camera-shot.ts";
import { AgentError } from "../../src/core/errors.ts";
import { CameraWebServer } from "../lib/camera-web-server.ts";
import { assertNoStack, framepost, inTurns, type Ran } from "../lib/command.ts";
import { commandContext } from "../lib/command-context.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { mjpegAnswer } from "../lib/mjpeg-server.ts";
import { jpegOf } from "../lib/pictures.ts";
import { needsProgram } from "../lib/programs.ts";
import { standIn } from "../lib/stand-in.ts";
import { tempFolder } from "../lib/temp.ts";

/** `cameras`, `--shot`, `init` and `doctor`, with real cameras of the network and stand-ins for others. */
describe("the camera commands", function () {
  this.timeout(30_000);
  let folder = "";
  let cleanup: AsyncDisposable | undefined;
  let server: CameraWebServer | undefined;

  before(async () => {
    const temp = await tempFolder();
    cleanup = temp;
    folder = temp.path;
    const [picture, night] = await Promise.all([jpegOf(90, 320, 240), darkPicture()]);
    const stream = mjpegAnswer({ pictures: [picture, await jpegOf(200, 320, 240)] });
    server = await new CameraWebServer((request, response) => {
      if (request.url === "/stream") stream(request, response);
      else response.writeHead(200, { "Content-Type": "image/jpeg" }).end(request.url === "/night" ? night : picture);
    }).start();
  });

  after(async () => {
    await server?.stop();
    await cleanup?.[Symbol.asyncDispose]();
  });

  const url = (path: string): string => server?.url(path) ?? "";

  it("lists a Raspberry Pi's cameras with the names that the other commands take", async () => {
    const bin = join(folder, "bin");
    await standIn(
      bin,
      "rpicam-hello",
      `echo "0 : imx708 [4608x2592 10-bit RGGB] (/base/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]"`,
    );
    const ran = await framepost(["cameras"], { env: { PATH: bin } });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /imx708 +rpicam:0 +ribbon +4608×2592 at 14\/s, 1536×864 at 120\/s\n/);
    assert.match(ran.stderr, /sudo apt install ffmpeg/);
  });

  it("init writes a Raspberry Pi's cameras into a config that works", async () => {
    const bin = join(folder, "bin-two");
    const lines = [0, 1].map((number) => `echo "${number} : imx219 [3280x2464] (/base/i2c@${number}/imx219@10)"`);
    await standIn(bin, "rpicam-hello", lines.join("\n"));
    const output = join(folder, "pi.yaml");
    const ran = await insideWith(bin, ["init", "--yes", "--output", output]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /found imx219 \(rpicam:0\), imx219 \(rpicam:1\)/);
    const text = await readFile(output, "utf8");
    assert.match(text, /driver: rpicam\n +camera: 0\n/);
    assert.match(text, /driver: rpicam\n +camera: 1\n/);
  });

  it("takes a picture of an address, whether it gives one or a stream of them", async () => {
    await inTurns(["/picture", "/stream"], async (path) => {
      const output = join(folder, `${path.slice(1)}.jpg`);
      const ran = await framepostInside(["cameras", "--shot", url(path), "--output", output]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stdout, /: 320×240, \d+ bytes\n$/);
      assert.equal((await sharp(await readFile(output)).metadata()).width, 320);
    });
  });

  it("takes no address with a password in it, and repeats none", async () => {
    for (const source of ["rtsp://admin:hunter2@127.0.0.1/x", "http://admin:hunter2@127.0.0.1/x", "rpicam:x"]) {
      await assert.rejects(takeShot(commandContext(), source), (error: unknown) => {
        assert.ok(error instanceof AgentError);
        assert.equal(error.code, "USAGE_DEVICE");
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    }
  });

  it("doctor judges a frame of every camera, in the order of the config, and says how to mend it", async function () {
    needsProgram(this, "fswebcam", "fswebcam");
    const config = join(folder, "framepost.yaml");
    const cameras = [
      { id: "slow", driver: "webcam", device: "TEST:", interval: "1s" },
      { id: "night", driver: "http-snapshot", url: url("/night"), schedule: closedNow() },
      { id: "nobody", driver: "exec", command: ["no-such-program"] },
      { id: "drawn", driver: "simulated" },
      { id: "small", driver: "ffmpeg", input: "/dev/null", program: await smallCamera(join(folder, "small")) },
    ];
    await writeFile(config, JSON.stringify({ cameras }), { mode: 0o600 });
    const searchPath = `${join(folder, "small")}:${process.env["PATH"] ?? ""}`;
    const ran = await insideWith(searchPath, ["doctor", "-c", config, "--data", join(folder, "data")]);
    assertNoStack(ran);
    const said = ran.stdout.split("\n").filter((line) => /^\S+ +camera /.test(line));
    const expected = [
      /^ok {7}camera slow: a frame of 1280×720/,
      /^warning {2}camera slow: driver webcam opens the camera anew/,
      /^ok {7}camera night: a frame of 64×48/,
      /^warning {2}camera night: the picture is dark/,
      /^FAILED {3}camera nobody: .*CAMERA_PROGRAM_MISSING/,
      /^ok {7}camera drawn: a frame of 1280×720/,
      /^ok {7}camera small: a frame of 640×480/,
      /^warning {2}camera small: its frames are 640×480, not the 1280×720 of the config/,
    ];
    assert.equal(said.length, expected.length, ran.stdout);
    for (const [index, pattern] of expected.entries()) assert.match(said[index] ?? "", pattern);
    assert.match(ran.stdout, /mend: use driver ffmpeg/);
    assert.match(ran.stdout, /mend: set width and height to one that it offers: 640×480, 320×240/);
    assert.equal(ran.code, 1);
  });
});

/** A command inside the test that finds programs in these folders alone. */
async function insideWith(searchPath: string, words: readonly string[]): Promise<Ran> {
  const before = process.env["PATH"];
  process.env["PATH"] = searchPath;
  try {
    return await framepostInside(words);
  } finally {
    process.env["PATH"] = before;
  }
}

/** A V4L2 camera that gives 640×480 whatever it is asked for: stand-ins for ffmpeg and v4l2-ctl, on a device that opens. */
async function smallCamera(folder: string): Promise<string> {
  const formats = "\t[0]: 'YUYV' (YUYV 4:2:2)\n\t\tSize: Discrete 320x240\n\t\tSize: Discrete 640x480";
  await standIn(folder, "v4l2-ctl", `printf "${formats}\\n"`);
  const noise = { type: "gaussian", mean: 128, sigma: 60 } as const;
  const size = { width: 640, height: 480, channels: 3, background: "grey" } as const;
  const jpeg = await sharp({ create: { ...size, noise } })
    .jpeg()
    .toBuffer();
  const part = `--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: ${jpeg.length}\r\n\r\n`;
  await writeFile(join(folder, "part"), Buffer.concat([Buffer.from(part), jpeg, Buffer.from("\r\n")]));
  const lines = `case "$*" in *list_formats*) exit 1; esac\nwhile cat ${join(folder, "part")}; do sleep 0.1; done`;
  return standIn(folder, "small-ffmpeg", lines);
}

async function darkPicture(): Promise<Buffer> {
  const background = { r: 2, g: 2, b: 2 };
  return sharp({ create: { width: 64, height: 48, channels: 3, background } })
    .jpeg()
    .toBuffer();
}

/** A window that is shut at this hour, which a person who asks for a picture does not mind. */
function closedNow(): object {
  const day = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(new Date().getUTCDay() + 3) % 7];
  return { timeZone: "UTC", windows: [{ days: [day], from: "10:00", to: "10:05" }] };
}
