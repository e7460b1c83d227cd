import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import { runListing } from "../../src/capture/discover/tool.ts";
import { execDriver } from "../../src/capture/exec/driver.ts";
import { endOrphans } from "../../src/capture/stream/orphans.ts";
import { ProgramDriver } from "../../src/capture/stream/program-driver.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { scanJpeg } from "../../src/core/jpeg.ts";
import type { CameraDriver } from "../../src/core/ports.ts";
import type { Frame } from "../../src/core/types.ts";
import { acts, CameraStandIns } from "../lib/camera-stand-ins.ts";
import { exifSegment, handmadeJpeg } from "../lib/jpegs.ts";
import { ownChildren, ownDescriptors } from "../lib/own-processes.ts";
import { jpegOf } from "../lib/pictures.ts";
import { until } from "../lib/poll.ts";
import { ProcessWatch } from "../lib/process-watch.ts";
import { needsProgram } from "../lib/programs.ts";
import { RecordingLogger, seededRandom } from "../lib/seams.ts";
import { runProgram } from "../lib/shell.ts";

const clock = new SystemClock();
const never = new AbortController().signal;
/** In the proportions of the real ones. */
const limits = {
  startTimeoutMs: 700,
  watchdogMinMs: 250,
  backoffFirstMs: 20,
  backoffMaxMs: 60,
  stopGraceMs: 200,
  outputGraceMs: 100,
};

describe("camera programs that fail", () => {
  const pictures: Buffer[] = [];
  let standIns: CameraStandIns;
  let program: string;
  let started: { readonly children: readonly number[]; readonly descriptors: number };
  const cameras: SupervisedCamera[] = [];
  const drivers: CameraDriver[] = [];

  before(async () => {
    for (const shade of [20, 60, 100, 140, 180]) pictures.push(await jpegOf(shade));
    // The first child of a process makes Node open what it keeps for all of them.
    const first = execDriver({ command: ["true"] }, clock);
    await first.start(never);
    await assert.rejects(first.shot(never));
    await first.stop();
  });

  beforeEach(async () => {
    started = { children: await ownChildren(), descriptors: await ownDescriptors() };
    standIns = await CameraStandIns.make(pictures);
    program = await standIns.program("my-camera", acts.replay(20));
  });

  afterEach("nothing is left behind", async () => {
    for (const camera of cameras.splice(0)) await camera.stop();
    for (const driver of drivers.splice(0)) await driver.stop();
    await standIns.allGone();
    await standIns[Symbol.asyncDispose]();
    await until(async () => String(await ownChildren()) === String(started.children), "every process to be gone");
    await until(async () => (await ownDescriptors()) <= started.descriptors, "every descriptor to be closed");
  });

  async function supervised(driver: CameraDriver = execDriver({ command: [program] }, clock, limits)) {
    const log = new RecordingLogger();
    const seams = { clock, random: seededRandom(1), log };
    const camera = new SupervisedCamera({ id: "door", driver, intervalMs: 0, limits }, seams);
    cameras.push(camera);
    await camera.start(never);
    return camera;
  }

  async function frameOf(camera: SupervisedCamera, limitMs = 3_000): Promise<Frame> {
    const frame = await camera.nextFrame(AbortSignal.timeout(limitMs));
    assert.ok(frame);
    return frame;
  }

  /** Asks for frames until the camera has been lost for this reason. */
  async function lostBy(camera: SupervisedCamera, code: string): Promise<string> {
    const asking = new AbortController();
    const asked = (async () => {
      while (!asking.signal.aborted) await camera.nextFrame(asking.signal);
    })().catch(() => undefined);
    const lost = () => camera.health().lastError?.code === code;
    await until(lost, `the camera to be lost by ${code}, and not by ${camera.health().lastError?.message ?? "?"}`);
    asking.abort();
    await asked;
    return camera.health().lastError?.message ?? "";
  }

  /** Frames flow again, and not for a moment only. */
  async function flows(camera: SupervisedCamera): Promise<void> {
    const restarts = camera.health().restarts;
    for (let taken = 0; taken < 4; taken += 1) await frameOf(camera);
    assert.equal(camera.health().state, "running");
    assert.ok(camera.health().restarts <= restarts + 1);
  }

  it("come back when a program is installed that was missing", async () => {
    await rm(program);
    const camera = await supervised();
    assert.match(await lostBy(camera, "CAMERA_PROGRAM_MISSING"), /my-camera is installed|my-camera.* installed/);
    await standIns.program("my-camera", acts.replay(20));
    await flows(camera);
  });

  it("come back after a hang, a freeze by SIGSTOP and a crash by SIGKILL", async () => {
    const camera = await supervised();
    await flows(camera);
    for (const [signal, code] of [
      ["SIGSTOP", "CAMERA_STALLED"],
      ["SIGKILL", "CAMERA_LOST"],
    ] as const) {
      const victims = await standIns.living();
      for (const pid of victims) process.kill(pid, signal);
      await lostBy(camera, code);
      await flows(camera);
      assert.ok(!(await standIns.living()).some((pid) => victims.includes(pid)));
    }
    await camera.stop();
    await standIns.program("my-camera", acts.hang);
    await camera.start(never);
    assert.match(await lostBy(camera, "CAMERA_START_TIMEOUT"), /within 700 ms: nothing came$/);
    await standIns.program("my-camera", acts.replay(20));
    await flows(camera);
  });

  it("are asked to end by SIGINT, as rpicam-vid wants it, and have time to put their camera to rest", async () => {
    await standIns.program("my-camera", ["trap 'sleep 0.05; echo ended >$dir/rest; exit' INT", ...acts.replay(20)]);
    const camera = await supervised();
    await flows(camera);
    await camera.stop();
    assert.equal(await readFile(join(standIns.path, "rest"), "latin1"), "ended\n");
  });

  it("are killed when they ignore SIGINT, with all they started, also what left their group", async () => {
    for (const lines of [
      [...acts.deaf, ...acts.replay(20)],
      [...acts.outlived, ...acts.replay(20)],
    ]) {
      await standIns.program("my-camera", lines);
      const camera = await supervised();
      await flows(camera);
      const begunMs = performance.now();
      await camera.stop();
      assert.ok(performance.now() - begunMs < 1_500);
      await standIns.allGone();
    }
  });

  it("have ended when their leader has, whoever still holds their output", async () => {
    for (const leftBehind of [acts.outlived, acts.strayed]) {
      await standIns.program("my-camera", [...acts.one, ...leftBehind, "echo gone >&2", "exit 0"]);
      const driver = execDriver({ command: [program] }, clock, limits);
      drivers.push(driver);
      await driver.start(never);
      await assert.rejects(
        driver.shot(AbortSignal.timeout(2_000)).then(() => driver.shot(AbortSignal.timeout(2_000))),
        {
          code: "CAMERA_LOST",
          message: /ended with status 0: gone$/,
        },
      );
      await driver.stop();
      // What left the group of its own accord is nobody's any more.
      await standIns.kill();
    }
  });

  it("are told from silent ones when they print rubbish, by a count of its bytes and what they said", async () => {
    await standIns.program("my-camera", ["echo 'usage: my-camera [options]' >&2", ...acts.rubbish]);
    const camera = await supervised();
    const message = await lostBy(camera, "CAMERA_START_TIMEOUT");
    assert.match(
      message,
      /700 ms: \d{5,} bytes came, and no picture was among them; it said: usage: my-camera \[options\]$/,
    );
    await standIns.program("my-camera", acts.replay(20));
    await flows(camera);
  });

  it("give their pictures whole amid rubbish, byte by byte, after half of one, and in any size", async () => {
    const thumbnail = handmadeJpeg(600, 400, exifSegment(1, handmadeJpeg(16, 16).toString("latin1").repeat(3)));
    await writeFile(join(standIns.path, "thumbnail.jpg"), thumbnail);
    await writeFile(join(standIns.path, "large.jpg"), await jpegOf(9, 320, 240));
    await standIns.program("my-camera", [
      "while :; do",
      ...["head -c 300 /dev/urandom | tr -d '\\377'", ...acts.one, "sleep 0.02"],
      ...["dd if=$dir/picture-01.jpg bs=1 status=none", "sleep 0.02"],
      ...[...acts.half, "cat $dir/picture-02.jpg", "sleep 0.02"],
      ...["cat $dir/thumbnail.jpg", "sleep 0.02", "cat $dir/large.jpg", "sleep 0.02", "done"],
    ]);
    const camera = await supervised();
    const seen = new Set<number>();
    const known = [...pictures.slice(0, 3), await jpegOf(9, 320, 240)];
    for (let taken = 0; taken < 60 && seen.size < 5; taken += 1) {
      const frame = await frameOf(camera);
      const found = known.findIndex((jpeg) => jpeg.equals(frame.jpeg));
      if (frame.width === 600) seen.add(99);
      else assert.notEqual(found, -1, "a picture that is none of those");
      seen.add(found === -1 ? 99 : found);
    }
    assert.deepEqual([...seen].toSorted(), [0, 1, 2, 3, 99]);
    const { restarts, framesBad } = camera.health();
    assert.deepEqual([restarts, framesBad], [0, 0]);
  });

  it("lose a cut picture alone, also where it is the last before a crash", async () => {
    await standIns.program("my-camera", [...acts.replayOnce(), ...acts.half, "kill -KILL $$"]);
    const camera = await supervised();
    for (let taken = 0; taken < 15; taken += 1) await frameOf(camera);
    const { restarts, framesBad } = camera.health();
    assert.ok(restarts >= 1);
    assert.equal(framesBad, 0);
  });

  it("get pictures with the Huffman tables that a USB camera left out", async () => {
    const bare = handmadeJpeg(640, 480);
    await writeFile(
      join(standIns.path, "picture-00.jpg"),
      Buffer.concat([bare.subarray(0, -2), Buffer.alloc(200, 7), bare.subarray(-2)]),
    );
    await standIns.program("my-camera", ["while :; do", ...acts.one, "sleep 0.02", "done"]);
    const { jpeg, facts } = await frameOf(await supervised());
    const again = scanJpeg(jpeg);
    assert.equal(again.kind, "complete");
    assert.deepEqual(facts, again.facts);
    assert.equal(again.facts.huffmanTablesAt, undefined);
  });

  it("get their arguments as they are: no shell reads them", async () => {
    const attacks = [
      "; touch $dir/injected",
      "$(touch injected)",
      "`touch injected`",
      "| touch injected",
      "-o",
      "a b",
      "'\"",
      "*",
      "",
    ];
    const camera = await supervised(execDriver({ command: [program, ...attacks] }, clock, limits));
    await flows(camera);
    assert.deepEqual(await standIns.arguments(), attacks);
  });

  it("are ended at the next start of an agent when theirs was killed, and left alone while it lives", async () => {
    program = await standIns.program("my-camera", [...acts.deaf, ...acts.strayed, ...acts.outlived, ...acts.hang]);
    const script = join(import.meta.dirname, "..", "lib", "camera-owner.js");
    const owner = spawn(process.execPath, [script, program], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(owner.stdout, "data");
      await until(async () => (await standIns.living()).length === 3, "the program and its children");
      await endOrphans();
      assert.equal((await standIns.living()).length, 3);
    } finally {
      const ended = once(owner, "exit");
      owner.kill("SIGKILL");
      await ended;
    }
    assert.equal((await standIns.living()).length, 3, "nobody else ends them");
    assert.ok((await endOrphans()) >= 3);
    await standIns.allGone();
  });

  it("get secrets in their environment alone, and tell none", async () => {
    const secret = "sword/fish & chips";
    await standIns.program("my-camera", [
      'echo "login $PASSWORD failed at rtsp://me:$PASSWORD@camera/" >&2',
      ...acts.replayOnce(60),
      "exit 1",
    ]);
    await using watch = new ProcessWatch(/my-camera/).start();
    const camera = await supervised(
      execDriver({ command: [program], environment: { PASSWORD: secret } }, clock, limits),
    );
    const message = await lostBy(camera, "CAMERA_LOST");
    assert.match(message, /login \*\*\* failed/);
    assert.ok(!message.includes("fish"));
    for (const [place, text] of watch.seen()) {
      if (place.startsWith("command line")) assert.ok(!text.includes("fish"), place);
    }
  });

  it("get nothing else of our environment but what programs need", async () => {
    await standIns.program("my-camera", ["env >$dir/environment", ...acts.replay(20)]);
    const before = process.env["FRAMEPOST_TEST_TOKEN"];
    process.env["FRAMEPOST_TEST_TOKEN"] = "swordfish";
    try {
      await flows(await supervised(execDriver({ command: [program], environment: { MINE: "1" } }, clock, limits)));
    } finally {
      if (before === undefined) Reflect.deleteProperty(process.env, "FRAMEPOST_TEST_TOKEN");
      else process.env["FRAMEPOST_TEST_TOKEN"] = before;
    }
    const seen = (await readFile(join(standIns.path, "environment"), "latin1")).split("\n");
    assert.ok(seen.includes("MINE=1") && seen.includes(`PATH=${process.env["PATH"]}`));
    const ours = seen.filter((line) => line.startsWith("FRAMEPOST_"));
    assert.match(ours.join(), new RegExp(`^FRAMEPOST_AGENT=${process.pid}:\\d+:pid:\\[\\d+\\]$`));
    assert.ok(!seen.some((line) => line.includes("swordfish")));
  });

  it("may say any amount on their stderr", async () => {
    await standIns.program("my-camera", ["yes 'a line of words' | head -c 20000000 >&2", "echo the end >&2", "exit 1"]);
    const camera = await supervised();
    const message = await lostBy(camera, "CAMERA_LOST");
    assert.match(message, /: the end$/);
    assert.ok(message.length < 400);
  });

  it("have an error of their own when the system does not start them", async function () {
    needsProgram(this, "prlimit", "util-linux");
    const failure = async (command: readonly string[]) => {
      const driver = execDriver({ command }, clock, limits);
      drivers.push(driver);
      await driver.start(never);
      const error: unknown = await driver.shot(never).catch((thrown: unknown) => thrown);
      await driver.stop();
      assert.ok(error instanceof AgentError);
      return error.code;
    };
    await writeFile(join(standIns.programs, "no-interpreter"), "#!/no/such/interpreter\n", { mode: 0o755 });
    assert.equal(await failure([join(standIns.programs, "no-interpreter")]), "CAMERA_PROGRAM_MISSING");
    await mkdir(join(standIns.programs, "a-folder"));
    await assert.rejects(failure([join(standIns.programs, "a-folder")]), { code: "CAMERA_PROGRAM_MISSING" });
    assert.equal(await failure([program, "a\0b"]), "CAMERA_PROGRAM_REFUSED");
    assert.equal(await failure([program, "x".repeat(3_000_000)]), "CAMERA_PROGRAM_REFUSED");
    const [, soft = "", hard = ""] =
      /Max open files +(\d+) +(\d+)/.exec(await readFile("/proc/self/limits", "latin1")) ?? [];
    const room = (files: string) => runProgram("prlimit", `--pid=${process.pid}`, `--nofile=${files}:${hard}`);
    room(String((await ownDescriptors()) + 40));
    const taken: number[] = [];
    try {
      for (;;) taken.push(openSync("/dev/null", "r"));
    } catch {
      for (const descriptor of taken.splice(0, 3)) closeSync(descriptor);
    }
    try {
      assert.equal(await failure([program]), "CAMERA_NO_RESOURCES");
      assert.match((await runListing(program, [], { clock }, never)).problem ?? "", /does not start: .*EMFILE/);
    } finally {
      for (const descriptor of taken) closeSync(descriptor);
      room(soft);
    }
  });

  it("are not launched by a start that a stop overtook, nor twice at a time", async () => {
    let found: (path: string) => void = () => undefined;
    const recipe = { kind: "slow", source: "here", framing: "jpegs", framePeriodMs: 0, mayRepeat: false } as const;
    const command = async () => {
      const path = await new Promise<string>((resolve) => (found = resolve));
      return { program: path, argv: [], secrets: [] };
    };
    const driver = new ProgramDriver({ ...recipe, command }, clock, limits);
    drivers.push(driver);
    const overtaken = driver.start(never);
    await assert.rejects(driver.start(never), { code: "CAMERA_BUSY" });
    const stopping = driver.stop();
    found(program);
    await assert.rejects(overtaken, { code: "CAMERA_NOT_STARTED" });
    await stopping;
    assert.deepEqual(await standIns.living(), []);
    const again = driver.start(never);
    found(program);
    await again;
    assert.equal((await driver.shot(never)).kind, "image");
    await assert.rejects(driver.start(never), { code: "CAMERA_BUSY" });
  });

  it("keep their camera busy for as long as they would not die", async () => {
    // Without any grace a stop gives up before it has begun, as one does on a process that nobody can kill.
    const driver = execDriver({ command: [program] }, clock, { ...limits, stopGraceMs: 0 });
    await driver.start(never);
    await driver.shot(never);
    await driver.stop();
    await assert.rejects(driver.start(never), { code: "CAMERA_BUSY" });
    await assert.rejects(driver.shot(never), { code: "CAMERA_NOT_STARTED" });
    for (const pid of await standIns.living()) process.kill(-pid, "SIGKILL");
    await standIns.allGone();
    await until(
      async () =>
        driver.start(never).then(
          () => true,
          () => false,
        ),
      "the camera to be free",
    );
    await driver.shot(never);
    for (const pid of await standIns.living()) process.kill(-pid, "SIGKILL");
  });
});
