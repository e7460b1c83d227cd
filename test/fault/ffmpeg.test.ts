import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "mocha";
import { ffmpegDriver } from "../../src/capture/ffmpeg/driver.ts";
import { inputOf } from "../../src/capture/ffmpeg/input.ts";
import type { FfmpegOptions } from "../../src/capture/ffmpeg/options.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import { usualFfmpeg } from "../lib/ffmpeg-options.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { ProcessWatch } from "../lib/process-watch.ts";
import { needsProgram } from "../lib/programs.ts";
import { RtspServer } from "../lib/rtsp-server.ts";
import { findings, planted } from "../lib/secret-search.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { unusedPort } from "../lib/servers.ts";
import { runProgram } from "../lib/shell.ts";
import { tempFolder } from "../lib/temp.ts";

const clock = new SystemClock();
const never = new AbortController().signal;
const limits = { startTimeoutMs: 1_200, backoffFirstMs: 20, backoffMaxMs: 50, watchdogMinMs: 700, stopGraceMs: 300 };

const drivers: CameraDriver[] = [];
const cameras: SupervisedCamera[] = [];

function driverOf(options: Partial<FfmpegOptions> & Pick<FfmpegOptions, "input">): CameraDriver {
  const driver = ffmpegDriver({ ...usualFfmpeg, ...options }, clock, limits);
  drivers.push(driver);
  return driver;
}

async function supervised(driver: CameraDriver, log = new RecordingLogger()): Promise<SupervisedCamera> {
  const camera = new SupervisedCamera(
    { id: "door", driver, intervalMs: 50, limits },
    { clock, random: seededRandom(1), log },
  );
  cameras.push(camera);
  await camera.start(never);
  return camera;
}

/** From the driver's start to the first shot: what went wrong. */
async function failure(driver: CameraDriver): Promise<AgentError> {
  const error = await driver
    .start(never)
    .then(async () => driver.shot(AbortSignal.timeout(4_000)))
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  assert.ok(error instanceof AgentError, String(error));
  await driver.stop();
  return error;
}

async function stopAll(): Promise<void> {
  for (const camera of cameras.splice(0)) await camera.stop();
  for (const driver of drivers.splice(0)) await driver.stop();
}

async function framesAgain(camera: SupervisedCamera): Promise<void> {
  const before = camera.health().framesCaptured;
  await until(() => camera.health().framesCaptured > before + 1, "frames again", 6_000);
}

describe("ffmpeg driver on a V4L2 device, with a stand-in for ffmpeg", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>>;
  let device: string;

  before(async () => {
    temp = await tempFolder();
    await mkdir(join(temp.path, "by-id"));
    device = join(temp.path, "by-id", "usb-camera");
    const jpeg = await jpegOf(90);
    const part = Buffer.from(`--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: ${jpeg.length}\r\n\r\n`);
    await writeFile(join(temp.path, "part"), Buffer.concat([part, jpeg, Buffer.from("\r\n")]));
  });

  afterEach(async () => {
    await stopAll();
    for (const name of ["asked", "runs", "list"]) await rm(join(temp.path, name), { force: true });
    await rm(device, { force: true });
  });

  after(async () => temp[Symbol.asyncDispose]());

  /** `$dir` is the test's folder, `list` in it what the device offers; every run writes its arguments down. */
  async function standIn(...lines: string[]): Promise<string> {
    const path = join(temp.path, "stand-in");
    const head = ["#!/bin/sh", `dir=${temp.path}`];
    const asked = 'case "$*" in *list_formats*) echo "$*" >>$dir/asked; cat $dir/list >&2; exit 1;; esac';
    await writeFile(path, [...head, asked, 'echo "$*" >>$dir/runs', ...lines, ""].join("\n"));
    await chmod(path, 0o755);
    return path;
  }

  const frames = "while cat $dir/part; do sleep 0.02; done";
  const offers = async (codec: string) => {
    await writeFile(join(temp.path, "list"), `[v4l2 @ 0x1] Compressed:  ${codec} :  Motion-JPEG : 320x240\n`);
  };
  const linesOf = async (name: string) => {
    const text = await readFile(join(temp.path, name), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  };
  const camera = (program: string) => driverOf({ program, input: { kind: "v4l2", device } });

  it("copies what the device gives as JPEG, and encodes anything else", async () => {
    await symlink("/dev/null", device);
    for (const [codec, pattern] of [
      ["mjpeg", /-input_format mjpeg .*-c:v copy/],
      ["h264", /-c:v mjpeg/],
    ] as const) {
      await offers(codec);
      const driver = camera(await standIn(frames));
      await driver.start(never);
      assert.equal((await driver.shot(AbortSignal.timeout(3_000))).kind, "image");
      await driver.stop();
      assert.match((await linesOf("runs")).at(-1) ?? "", pattern);
    }
  });

  it("asks once for all restarts, and again after a run that showed nothing", async () => {
    await symlink("/dev/null", device);
    await offers("mjpeg");
    const driver = camera(await standIn("[ -e $dir/dumb ] && exit 1", frames));
    for (let round = 0; round < 3; round += 1) {
      await driver.start(never);
      assert.equal((await driver.shot(AbortSignal.timeout(3_000))).kind, "image");
      await driver.stop();
    }
    assert.equal((await linesOf("asked")).length, 1);
    await writeFile(join(temp.path, "dumb"), "");
    await failure(driver);
    await rm(join(temp.path, "dumb"));
    await driver.start(never);
    assert.equal((await linesOf("asked")).length, 2);
  });

  it("says what is wrong with the device or the program", async () => {
    await offers("mjpeg");
    const program = await standIn(`echo "$dir: Device or resource busy" >&2`);
    assert.equal((await failure(camera(program))).code, "CAMERA_NO_DEVICE");
    await symlink(program, device);
    const plain = await failure(camera(program));
    assert.deepEqual([plain.code, plain.message], ["CAMERA_NO_DEVICE", `ffmpeg ${device}: it is not a device`]);
    await rm(device);
    await symlink("/dev/null", device);
    assert.equal((await failure(camera(program))).code, "CAMERA_BUSY");
    assert.equal((await failure(camera("no-such-ffmpeg"))).code, "CAMERA_PROGRAM_MISSING");
    assert.equal((await linesOf("runs")).length, 1, "nothing is run for a device that is not there");
  });

  it("takes a device that was busy while it was asked for no camera without JPEGs", async () => {
    await symlink("/dev/null", device);
    await writeFile(join(temp.path, "list"), `[v4l2 @ 0x1] ${device}: Device or resource busy\n`);
    const driver = camera(await standIn(frames));
    assert.equal((await failure(driver)).code, "CAMERA_BUSY");
    await offers("mjpeg");
    await driver.start(never);
    await driver.shot(AbortSignal.timeout(3_000));
    assert.match((await linesOf("runs")).join(), /^[^,]*-c:v copy[^,]*$/);
  });

  it("ends a question that nobody answers, before its stop returns", async () => {
    await symlink("/dev/null", device);
    const program = join(temp.path, "mute");
    await writeFile(program, `#!/bin/sh\necho $$ >${temp.path}/pid\ntrap '' INT\nwhile :; do sleep 0.05; done\n`);
    await chmod(program, 0o755);
    const driver = camera(program);
    const start = driver.start(never).catch((error: unknown) => error);
    const pid = async () => (await readFile(join(temp.path, "pid"), "latin1").catch(() => "")).trim();
    await until(async () => (await pid()) !== "", "the question");
    await driver.stop();
    assert.ok((await start) instanceof AgentError);
    assert.equal(await readFile(`/proc/${await pid()}/stat`, "latin1").catch(() => "gone"), "gone");
  });

  it("finds the device again after it was unplugged, though it is another node then", async () => {
    await symlink("/dev/null", device);
    await offers("mjpeg");
    // It lives for as long as the link leads to where it led at the start.
    const driver = camera(
      await standIn(
        `at=$(readlink ${device})`,
        `while [ "$(readlink ${device})" = "$at" ]`,
        `do cat $dir/part; sleep 0.02; done`,
      ),
    );
    const subject = await supervised(driver);
    await until(() => subject.health().state === "running", "frames");
    await rm(device);
    await until(() => subject.health().lastError?.code === "CAMERA_NO_DEVICE", "the loss of the device");
    await symlink("/dev/zero", device);
    await framesAgain(subject);
  });
});

describe("ffmpeg driver on a source that changes", () => {
  afterEach(stopAll);

  it("copies no longer what is no JPEG any more", async function () {
    needsProgram(this, "ffmpeg", "ffmpeg");
    await using temp = await tempFolder();
    const path = join(temp.path, "film.avi");
    const become = async (codec: string) => {
      const made = join(temp.path, `${codec}.avi`);
      const argv = ["-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "1"];
      runProgram("ffmpeg", ...argv, "-c:v", codec, made);
      await rename(made, path);
    };
    await become("mjpeg");
    const camera = await supervised(driverOf({ input: { kind: "file", path } }));
    await framesAgain(camera);
    await become("mpeg4");
    await camera.stop();
    await camera.start(never);
    await until(() => camera.health().lastError?.code === "CAMERA_START_TIMEOUT", "parts that are no pictures", 5_000);
    assert.match(camera.health().lastError?.message ?? "", /bytes came, and no picture was among them/);
    await framesAgain(camera);
  });
});

describe("ffmpeg driver against an RTSP server that fails", () => {
  const secret = planted("rtsp password");
  const server = new RtspServer("viewer", secret.text);
  const log = new RecordingLogger();
  const errors: Error[] = [];
  const watch = new ProcessWatch(/ffmpeg/);

  const login = { username: "viewer", password: secret.text };
  const reader = (url: string, more: Partial<FfmpegOptions> = {}) =>
    driverOf({ input: inputOf(url), ...login, ...more });

  before(async function () {
    this.timeout(10_000);
    needsProgram(this, "ffmpeg", "ffmpeg");
    await server.start(this);
    watch.start();
  });

  afterEach(stopAll);

  after(async () => {
    await server.kill();
    await watch[Symbol.asyncDispose]();
  });

  it("says when the password is wrong, the path, the port or the host", async () => {
    const cases = [
      [server.url("digest", "/mjpeg"), { password: `not ${secret.text}` }, "CAMERA_LOGIN_REFUSED"],
      [server.url("basic", "/mjpeg"), { username: undefined, password: undefined }, "CAMERA_LOGIN_REFUSED"],
      [`rtsp://127.0.0.1:${await unusedPort()}/mjpeg`, {}, "CAMERA_UNREACHABLE"],
      ["rtsp://nobody.invalid/mjpeg", {}, "CAMERA_UNREACHABLE"],
    ] as const;
    for (const [url, more, code] of cases) {
      const error = await failure(reader(url, more));
      assert.equal(error.code, code, error.message);
      // Cameras lock an account after some wrong passwords.
      assert.equal(error.afterMs, code === "CAMERA_LOGIN_REFUSED" ? limits.backoffMaxMs : undefined);
      assert.ok(error.message.startsWith(`ffmpeg ${url}: `), error.message);
      errors.push(error);
    }
  });

  it("gives frames again each time that the server was killed or frozen", async function () {
    this.timeout(40_000);
    const camera = await supervised(reader(server.url("basic", "/mjpeg")), log);
    await framesAgain(camera);
    for (let round = 0; round < 2; round += 1) {
      const { restarts } = camera.health();
      await server.kill();
      await until(() => camera.health().restarts > restarts, "a restart");
      await server.start(this);
      await framesAgain(camera);
    }
    // The second time it is still frozen when a start is tried.
    for (const code of ["CAMERA_STALLED", "CAMERA_START_TIMEOUT"]) {
      server.signal("SIGSTOP");
      await until(() => camera.health().lastError?.code === code, code, 8_000);
      server.signal("SIGCONT");
      await framesAgain(camera);
    }
    errors.push(new Error(JSON.stringify(camera.health())));
  });

  it("gives frames again once the password is right and the stream is there", async function () {
    this.timeout(20_000);
    const camera = await supervised(reader(server.url("digest", "/mjpeg")), log);
    await framesAgain(camera);
    for (const [setup, code] of [
      [{ password: "another" }, "CAMERA_LOGIN_REFUSED"],
      [{ folder: "/elsewhere" }, "CAMERA_NOT_FOUND"],
    ] as const) {
      await server.kill();
      await server.start(this, setup);
      await until(() => camera.health().lastError?.code === code, code, 6_000);
      errors.push(new Error(JSON.stringify(camera.health())));
      await server.kill();
      await server.start(this);
      await framesAgain(camera);
    }
  });

  it("says when there is no such stream", async () => {
    const error = await failure(reader(server.url("digest", "/none")));
    assert.equal(error.code, "CAMERA_NOT_FOUND", error.message);
    errors.push(error);
  });

  it("shows the password nowhere: not in a command line, an environment, a log or an error", async () => {
    const said = errors.map((error, at) => [`error ${at}`, Buffer.from(error.message)] as const);
    const places = new Map([...watch.seen(), ...said, ["log", Buffer.from(JSON.stringify(log.lines))] as const]);
    assert.ok(errors.length >= 5 && log.lines.length > 5 && watch.environments() > 0);
    assert.ok(
      [...watch.seen().values()].some((line) => line.includes("pipe:0")),
      "no command line of ffmpeg was seen",
    );
    assert.deepEqual(findings(places, [secret]), []);
    // The search would have found it.
    const control = `rtsp://viewer:${encodeURIComponent(secret.text)}@127.0.0.1/`;
    assert.equal(findings(new Map([["control", Buffer.from(control)]]), [secret]).length, 1);
  });
});
