import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, it } from "mocha";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import type { WebcamOptions } from "../../src/capture/webcam/options.ts";
import { WebcamDriver } from "../../src/capture/webcam/driver.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { captureLimits } from "../../src/core/capture-limits.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { needsProgram } from "../lib/programs.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const clock = new SystemClock();
const never = new AbortController().signal;

describe("webcam driver against programs that fail", () => {
  let temp: Awaited<ReturnType<typeof tempFolder>>;
  let scratch: string;
  const drivers: WebcamDriver[] = [];

  beforeEach(async () => {
    temp = await tempFolder();
    scratch = join(temp.path, "scratch");
    await mkdir(scratch);
    await writeFile(join(temp.path, "good.jpg"), await jpegOf(100, 320, 240));
  });

  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.stop();
    assert.deepEqual(await readdir(scratch), [], "files left behind");
    await temp[Symbol.asyncDispose]();
  });

  /** A stand-in for fswebcam: `$out` is the picture's path, which is the last argument, and `$dir` this test's folder. */
  async function standIn(...lines: string[]): Promise<string> {
    const path = join(temp.path, "stand-in");
    const head = ["#!/bin/sh", `dir=${temp.path}`, `echo $$ >>$dir/pids`, 'for out in "$@"; do :; done'];
    await writeFile(path, [...head, ...lines, ""].join("\n"));
    await chmod(path, 0o755);
    return path;
  }

  function driverWith(options: Partial<WebcamOptions>, limits = {}): WebcamDriver {
    const usual = { device: "TEST:", width: 320, height: 240, quality: 80, skip: 0, delaySeconds: 0, frames: 1 };
    const driver = new WebcamDriver(
      { ...usual, rotation: 0, ...options },
      { clock, scratchPlaces: [scratch], limits: { programFrameMs: 0, ...limits } },
    );
    drivers.push(driver);
    return driver;
  }

  async function failure(work: Promise<unknown>): Promise<AgentError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof AgentError, String(error));
    return error;
  }

  async function shotWith(program: string, limits = {}): Promise<AgentError> {
    const driver = driverWith({ program }, limits);
    await driver.start(never);
    return failure(driver.shot(never));
  }

  /** Process ids of every stand-in that ran and is still there, ended ones that nobody waited for not counted. */
  async function living(): Promise<string[]> {
    const pids = (await readFile(join(temp.path, "pids"), "latin1").catch(() => "")).split("\n").filter(Boolean);
    const states = await Promise.all(
      pids.map(async (pid) => readFile(`/proc/${pid}/stat`, "latin1").catch(() => "0 (gone) Z ")),
    );
    return pids.filter((_, position) => !/\) Z /.test(states[position] ?? ""));
  }

  it("takes a picture that a stand-in makes, so that the failures below mean something", async () => {
    const driver = driverWith({ program: await standIn("cp $dir/good.jpg $out") });
    await driver.start(never);
    const shot = await driver.shot(never);
    assert.deepEqual(shot, { kind: "image", jpeg: await jpegOf(100, 320, 240) });
  });

  it("believes the picture and not the exit status", async () => {
    const driver = driverWith({ program: await standIn("cp $dir/good.jpg $out", "exit 3") });
    await driver.start(never);
    assert.equal((await driver.shot(never)).kind, "image");
  });

  it("says when the program is missing", async () => {
    for (const program of ["no-such-fswebcam", "/no/such/fswebcam"]) {
      const error = await failure(driverWith({ program }).start(never));
      assert.equal(error.code, "CAMERA_PROGRAM_MISSING");
    }
  });

  it("says when the program disappears between shots", async () => {
    const program = await standIn("cp $dir/good.jpg $out");
    const driver = driverWith({ program });
    await driver.start(never);
    await chmod(program, 0o644);
    assert.equal((await failure(driver.shot(never))).code, "CAMERA_PROGRAM_MISSING");
  });

  it("says when the device is missing or is none", async () => {
    const program = await standIn("exit 0");
    const gone = driverWith({ program, device: "/dev/no-such-video" });
    assert.equal((await failure(gone.start(never))).code, "CAMERA_NO_DEVICE");
    const file = driverWith({ program, device: join(temp.path, "good.jpg") });
    assert.equal((await failure(file.start(never))).code, "CAMERA_NO_DEVICE");
  });

  it("takes exit status 0 without a file for a failure, and repeats what the program said without its colours", async () => {
    const program = await standIn("printf '\\033[31mno picture\\033[0m\\n today\\n' >&2", "exit 0");
    const error = await shotWith(program);
    assert.equal(error.code, "CAMERA_NO_PICTURE");
    assert.match(error.message, /: no picture today$/);
  });

  it("calls a busy device busy", async () => {
    const program = await standIn("echo 'open: Device or resource busy' >&2");
    assert.equal((await shotWith(program)).code, "CAMERA_BUSY");
  });

  it("does not mistake a program's words for a missing camera", async () => {
    const driver = driverWith({ program: await standIn("cp $dir/good.jpg $out", "echo no such device >&2") });
    await driver.start(never);
    assert.equal((await driver.shot(never)).kind, "image");
  });

  it("refuses empty and cut pictures", async () => {
    const cases = [": >$out", "head -c 400 $dir/good.jpg >$out", "head -c 100000 /dev/urandom >$out"];
    for (const line of cases) {
      const error = await shotWith(await standIn(line));
      assert.equal(error.code, "CAMERA_BAD_IMAGE", line);
    }
  });

  it("refuses what fswebcam leaves on a full disk, with its exit status 0", async function () {
    needsProgram(this, "fswebcam", "fswebcam");
    // A limit on file size stands for the disk: both cut the write, and fswebcam takes notice of neither.
    const program = await standIn("trap '' XFSZ", "ulimit -f 2", 'fswebcam "$@"', "echo $? >$dir/status");
    assert.equal((await shotWith(program)).code, "CAMERA_BAD_IMAGE");
    assert.equal((await readFile(join(temp.path, "status"), "latin1")).trim(), "0");
  });

  it("refuses an old picture", async () => {
    await utimes(join(temp.path, "good.jpg"), new Date(2020, 1, 1), new Date(2020, 1, 1));
    const error = await shotWith(await standIn("cp -p $dir/good.jpg $out"));
    assert.equal(error.code, "CAMERA_NO_PICTURE");
    assert.match(error.message, /old file/);
  });

  it("never takes the picture of one shot for that of the next", async () => {
    const driver = driverWith({ program: await standIn("[ -e $dir/shot ] || cp $dir/good.jpg $out", ": >$dir/shot") });
    await driver.start(never);
    assert.equal((await driver.shot(never)).kind, "image");
    assert.equal((await failure(driver.shot(never))).code, "CAMERA_NO_PICTURE");
  });

  it("refuses a picture beyond all bounds without reading it", async () => {
    const program = await standIn(`truncate -s ${captureLimits.jpegBytesMax + 1} $out`);
    assert.equal((await shotWith(program)).code, "CAMERA_BAD_IMAGE");
  });

  it("ends a program that hangs, even one that ignores SIGTERM or was stopped", async () => {
    for (const lines of [["exec sleep 60"], ["trap '' TERM INT", "while :; do sleep 0.1; done"], ["kill -STOP $$"]]) {
      const begunMs = performance.now();
      const error = await shotWith(await standIn(...lines), { programTimeoutMs: 200 });
      assert.equal(error.code, "CAMERA_TIMEOUT", lines.join("; "));
      assert.ok(performance.now() - begunMs < 2_500);
      await until(async () => (await living()).length === 0, "the program to be gone");
    }
  });

  it("ends a hanging program soon after an abort, with all it started", async () => {
    for (const lines of [["exec sleep 60"], ["trap '' TERM INT", "sleep 60 & echo $! >>$dir/pids", "wait", "wait"]]) {
      const driver = driverWith({ program: await standIn(...lines) }, { stopGraceMs: 300 });
      await driver.start(never);
      const controller = new AbortController();
      const shot = failure(driver.shot(controller.signal).catch((error: unknown) => Promise.reject(asAborted(error))));
      await until(async () => (await living()).length > 0, "the program to run");
      const begunMs = performance.now();
      controller.abort();
      assert.equal((await shot).code, "ABORTED");
      assert.ok(performance.now() - begunMs < 1_500);
      await until(async () => (await living()).length === 0, "the program to be gone");
    }
  });

  it("survives a program that is killed, and shoots again", async () => {
    const program = await standIn("[ -e $dir/go ] || kill -KILL $$", "cp $dir/good.jpg $out");
    const driver = driverWith({ program });
    await driver.start(never);
    assert.equal((await failure(driver.shot(never))).code, "CAMERA_NO_PICTURE");
    await writeFile(join(temp.path, "go"), "");
    assert.equal((await driver.shot(never)).kind, "image");
  });

  it("survives a program that floods its output", async () => {
    const error = await shotWith(await standIn("exec yes rubbish"), { programTimeoutMs: 3_000, stopGraceMs: 300 });
    assert.match(error.code, /^CAMERA_/);
    assert.ok(error.message.length < 400);
  });

  it("runs one program at a time", async () => {
    const driver = driverWith({ program: await standIn("sleep 0.2", "cp $dir/good.jpg $out") });
    await driver.start(never);
    const first = driver.shot(never);
    assert.equal((await failure(driver.shot(never))).code, "CAMERA_BUSY");
    assert.equal((await first).kind, "image");
  });

  it("lets nothing of the config reach the shell", async () => {
    const proof = join(temp.path, "injected");
    const attacks = [
      "; touch P",
      "$(touch P)",
      "`touch P`",
      "| touch P",
      "& touch P",
      "> P",
      "\n touch P",
      "x P",
      "'",
      '"',
    ];
    for (const attack of attacks.map((text) => text.replace("P", proof))) {
      for (const options of [{ device: `/dev/video0${attack}` }, { program: `/usr/bin/fswebcam${attack}` }]) {
        assert.equal((await failure(driverWith(options).start(never))).code, "CAMERA_OPTION_REFUSED", attack);
      }
    }
    for (const device of ["-c/etc/passwd", "--exec=touch", "", "video0", "HTTP:/x"]) {
      assert.equal((await failure(driverWith({ device }).start(never))).code, "CAMERA_OPTION_REFUSED", device);
    }
    for (const options of [
      { width: Number.NaN },
      { quality: 96 },
      { skip: -1 },
      { delaySeconds: 0.5 },
      { frames: 0 },
    ]) {
      assert.equal((await failure(driverWith(options).start(never))).code, "CAMERA_OPTION_REFUSED");
    }
    const text = { width: "320; touch x" } as unknown as Partial<WebcamOptions>;
    assert.equal((await failure(driverWith(text).start(never))).code, "CAMERA_OPTION_REFUSED");
    assert.equal((await readdir(temp.path)).includes("injected"), false);
  });

  it("gives the program no secret that stands in our environment, and leaves what programs need", async () => {
    const odd = { TZ: "'; touch injected; \"$(touch injected)` x", LANG: "C.UTF-8", FRAMEPOST_TEST_TOKEN: "swordfish" };
    const before = Object.fromEntries(Object.keys(odd).map((name) => [name, process.env[name]]));
    Object.assign(process.env, odd);
    try {
      const program = await standIn(
        "env >$dir/environment",
        "cat /proc/$PPID/environ >>$dir/environment || :",
        "cp $dir/good.jpg $out",
      );
      const driver = driverWith({ program });
      await driver.start(never);
      assert.equal((await driver.shot(never)).kind, "image");
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      }
    }
    const seen = await readFile(join(temp.path, "environment"), "latin1");
    assert.equal(seen.includes("swordfish"), false);
    assert.ok(seen.includes(`PATH=${process.env["PATH"]}`));
    assert.ok(seen.includes(`TZ=${odd.TZ}`) && seen.includes("LANG=C.UTF-8"));
    assert.equal((await readdir(temp.path)).includes("injected"), false);
  });

  it("puts pictures into a private folder, and sweeps those of dead agents", async () => {
    const dead = execFileSync("sh", ["-c", "echo $$"], { encoding: "latin1" }).trim();
    await mkdir(join(scratch, `framepost-shots-${dead}-abcdef`));
    await writeFile(join(scratch, `framepost-shots-${dead}-abcdef`, "shot-1.jpg"), "half");
    await mkdir(join(scratch, `framepost-shots-${process.pid}-1-ofAnEarlierProcessWithOurId`));
    await mkdir(join(scratch, `framepost-shots-${process.ppid}-abcdef`));
    const program = await standIn('stat -c %a "$(dirname $out)" >$dir/mode', "cp $dir/good.jpg $out");
    const driver = driverWith({ program });
    await driver.start(never);
    await driver.shot(never);
    assert.equal((await readFile(join(temp.path, "mode"), "latin1")).trim(), "700");
    await driver.stop();
    assert.deepEqual(await readdir(scratch), [`framepost-shots-${process.ppid}-abcdef`]);
    execFileSync("rm", ["-r", join(scratch, `framepost-shots-${process.ppid}-abcdef`)]);
  });

  it("says when there is no place for pictures", async () => {
    const driver = new WebcamDriver(
      { device: "TEST:", width: 320, height: 240, quality: 80, skip: 0, delaySeconds: 0, frames: 1, rotation: 0 },
      { clock, scratchPlaces: ["/no/such/place"] },
    );
    const error = await failure(driver.start(never));
    assert.match(error.code, /^CAMERA_(NO_SCRATCH|PROGRAM_MISSING)$/);
  });

  it("turns the picture and takes fswebcam's options", async function () {
    needsProgram(this, "fswebcam", "fswebcam");
    const driver = driverWith({ rotation: 90, skip: 2, frames: 3 });
    const log = new RecordingLogger();
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 0 }, { clock, random: seededRandom(1), log });
    await camera.start(never);
    const frame = await camera.nextFrame(never);
    await camera.stop();
    assert.deepEqual([frame?.width, frame?.height], [240, 320]);
  });

  it("comes back under its supervisor once the program works again", async () => {
    const program = await standIn("[ -e $dir/go ] || exec sleep 60", "cp $dir/good.jpg $out");
    const driver = driverWith({ program }, { programTimeoutMs: 150 });
    const log = new RecordingLogger();
    const limits = { backoffFirstMs: 50, backoffMaxMs: 100 };
    const camera = new SupervisedCamera(
      { id: "door", driver, intervalMs: 50, limits },
      { clock, random: seededRandom(1), log },
    );
    await camera.start(never);
    await until(() => camera.health().restarts >= 2, "two restarts");
    assert.equal(camera.health().lastError?.code, "CAMERA_TIMEOUT");
    await writeFile(join(temp.path, "go"), "");
    await until(() => camera.health().state === "running", "frames again");
    await camera.stop();
    const events = log.lines.filter((line) => line.level !== "debug").map((line) => line.event);
    assert.deepEqual(events.slice(1, 3), ["camera.lost", "camera.running"], "one line each, however many tries");
    assert.deepEqual(await living(), []);
  });
});

function asAborted(error: unknown): AgentError {
  const aborted = error instanceof Error && error.name === "AbortError";
  return new AgentError(aborted ? "ABORTED" : "OTHER", String(error), { disposition: "retry" });
}
