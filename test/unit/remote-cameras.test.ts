import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { commandsOfCameras, settingsOfCameras } from "../../agent/remote/camera-commands.ts";
import { cameraPort } from "../../agent/remote/camera-port.ts";
import { CameraPauses } from "../../src/capture/pauses.ts";
import { SupervisedCamera } from "../../src/capture/supervisor.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { Answer } from "../../src/remote/reply.ts";
import { InboxBench } from "../lib/inbox-bench.ts";
import { jpegOf } from "../lib/pictures.ts";
import { PipelineBench } from "../lib/pipeline-bench.ts";
import { until } from "../lib/poll.ts";
import { ScriptedDriver } from "../lib/scripted-camera.ts";
import { RecordingLogger, seededRandom, SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;

interface Given {
  readonly recordsMax?: number;
  readonly packetBytesMax?: number;
  readonly labels?: readonly string[];
  readonly intervalMs?: number;
  readonly folder?: string;
}

describe("ages of cameras' frames and errors", () => {
  it("grow with the monotonic clock, whatever the wall clock is set to", () => {
    const clock = new SimulatedClock(0);
    const lastError = { code: "CAMERA_GONE", message: "it is gone", atMs: 3_000 };
    const health = { id: "gate", driver: "rpicam", state: "backoff", framesCaptured: 1, framesSkipped: 0, restarts: 2 };
    const camera = { id: "gate", health: () => ({ ...health, lastFrameAtMs: 1_000, lastError }) };
    const pipeline = { health: () => ({ images: {} }) };
    const port = cameraPort({ cameras: [camera], pipeline } as never, clock);
    const listed = () => {
      const [first] = (port.list() as { cameras: readonly { lastFrameAgeMs: number; lastError: { ageMs: number } }[] })
        .cameras;
      return [first?.lastFrameAgeMs, first?.lastError.ageMs];
    };
    clock.advance(5_000);
    assert.deepEqual(listed(), [4_000, 2_000]);
    clock.jump(56 * 365 * 24 * 60 * 60_000);
    clock.advance(1_000);
    assert.deepEqual(listed(), [5_000, 3_000]);
    clock.jump(-57 * 365 * 24 * 60 * 60_000);
    assert.deepEqual(listed(), [5_000, 3_000]);
  });
});

describe("commands for the cameras", () => {
  let picture: Buffer;
  before(async () => (picture = await jpegOf(50)));

  /** Two cameras that give the picture, their pauses, a pipeline over fakes, and the commands behind an inbox. */
  async function bench(given: Given = {}) {
    const temp = await tempFolder();
    const { folder = temp.path, intervalMs = 10 } = given;
    const log = new RecordingLogger();
    const seams = { clock: new SystemClock(), random: seededRandom(3), log };
    const drivers = ["front", "back"].map(() => new ScriptedDriver([picture]));
    const cameras = drivers.map((driver, at) => {
      const id = at === 0 ? "front" : "back";
      return new SupervisedCamera({ id, driver, intervalMs, mayRepeat: true }, seams);
    });
    const { recordsMax = 10_000, labels = ["dog"], packetBytesMax = Infinity } = given;
    const inner = new PipelineBench({ sources: cameras, rules: { labels }, recordsMax });
    const pauses = new CameraPauses(join(folder, "state"), cameras, seams);
    const find = async (reference: string) => (await inner.stored()).find(({ record }) => record.id === reference);
    const agent = { cameras, pauses, pipeline: inner.pipeline, spool: { queue: { find } } } as never;
    // Its sleeps cost no time: what waits a minute for a picture is done at once.
    const clock = new SimulatedClock();
    const inbox = await InboxBench.open(commandsOfCameras(agent, () => packetBytesMax, clock));
    await pauses.start();
    inner.pipeline.start();
    for (const camera of cameras) await camera.start(never);
    const [front, back] = cameras as [SupervisedCamera, SupervisedCamera];
    return {
      ...{ inbox, inner, front, back, pauses, log, folder, clock },
      driver: drivers[0] as ScriptedDriver,
      stateOf: async (answer: Promise<Answer>) => {
        const { state, code } = await answer;
        return `${state}/${code}`;
      },
      async [Symbol.asyncDispose]() {
        await inbox[Symbol.asyncDispose]();
        await inner.pipeline.stop();
        for (const camera of cameras) await camera.stop();
        await pauses.stop();
        await temp[Symbol.asyncDispose]();
      },
    };
  }

  const running = async ({ front }: Awaited<ReturnType<typeof bench>>) =>
    until(() => front.health().state === "running", "the camera runs");

  function dataOf(answer: Answer): Readonly<Record<string, unknown>> {
    assert.equal(`${answer.state}/${answer.code}`, "done/ok", JSON.stringify(answer));
    return answer.data as Readonly<Record<string, unknown>>;
  }

  it("take a snapshot that no rule would keep, and a dry one that is stored nowhere", async () => {
    await using device = await bench();
    await running(device);
    const dry = dataOf(await device.inbox.reply("snapshot", {}, { dry: true }));
    assert.deepEqual([dry["result"], dry["camera"]], ["kept", "front"]);
    assert.deepEqual(await device.inner.stored(), []);
    const [first, ...others] = await device.inbox.replies("snapshot", { args: { camera: "back" } });
    assert.equal(first?.state, "accepted");
    const data = dataOf(others.at(-1) as Answer);
    const [stored] = await device.inner.stored();
    assert.deepEqual([data["record"], data["sequence"]], [stored?.record.id, stored?.record.sequence]);
    assert.equal("image" in data, false);
  });

  it("take a snapshot at once, though the camera is to take one an hour", async () => {
    await using device = await bench({ intervalMs: 3_600_000 });
    await running(device);
    assert.equal(dataOf(await device.inbox.reply("snapshot"))["result"], "stored");
  });

  it("put the picture into the reply only where it fits", async () => {
    const fits = Math.ceil(picture.length / 3) * 4 + remoteLimits.packetOverheadBytes + 2_000;
    for (const packetBytesMax of [Infinity, fits, fits - 2_000, 0]) {
      await using device = await bench({ packetBytesMax });
      await running(device);
      const { image } = dataOf(await device.inbox.reply("snapshot", { inline: true })) as { readonly image: object };
      if (packetBytesMax >= fits) {
        assert.deepEqual(image, {
          ...{ contentType: "image/jpeg", sizeBytes: picture.length, base64: picture.toString("base64") },
        });
      } else {
        const { leftOut, sizeBytes } = image as { readonly leftOut: string; readonly sizeBytes: number };
        assert.deepEqual([leftOut, sizeBytes], ["too_large", picture.length]);
      }
    }
  });

  it("say at once or in bounded time that a camera gives no picture, and why", async () => {
    await using device = await bench();
    const { driver, front, inbox } = device;
    await running(device);
    assert.equal(await device.stateOf(inbox.reply("snapshot", { camera: "roof" })), "refused/not_found");
    await front.pause();
    const paused = await inbox.reply("snapshot");
    assert.deepEqual(
      [paused.state, paused.code, paused.error, paused.message],
      ["failed", "camera_unavailable", "CAMERA_PAUSED", "camera front is paused until it is resumed"],
    );
    driver.script.splice(0, 2, new AgentError("CAMERA_UNPLUGGED", "it is unplugged", { disposition: "retry" }));
    front.resume();
    await until(() => front.health().state === "backoff", "it is away");
    const away = await inbox.reply("snapshot");
    assert.deepEqual([away.code, away.error], ["camera_unavailable", "CAMERA_UNPLUGGED"]);
    // Neither the caller's fault nor the queue's, whatever the last word of its code.
    for (const code of ["CAMERA_BUSY", "CAMERA_NOT_FOUND"]) {
      driver.script.splice(0, 1, new AgentError(code, "another program has it", { disposition: "retry" }));
      front.reopen();
      await until(() => front.health().lastError?.code === code, `it fails with ${code}`);
      await until(() => front.health().state === "backoff", "it is away");
      const failed = await inbox.reply("snapshot");
      assert.deepEqual([failed.state, failed.code, failed.error], ["failed", "camera_unavailable", code]);
    }
    driver.script.splice(0, 1, "hang");
    front.reopen();
    await until(() => front.health().state === "starting", "it starts");
    const silent = await inbox.reply("snapshot");
    assert.deepEqual([silent.code, silent.error], ["camera_unavailable", "CAMERA_NO_PICTURE"]);
    assert.deepEqual(await device.inner.stored(), []);
  });

  it("say that there is no room, and end a burst early by it", async () => {
    await using device = await bench({ recordsMax: 3 });
    await running(device);
    const answers = await device.inbox.replies("capture.burst", { args: { count: 10, intervalMs: 0 } });
    const burst = dataOf(answers.at(-1) as Answer);
    assert.deepEqual([burst["taken"], burst["stored"], burst["endedBy"]], [3, 3, "storage_full"]);
    assert.deepEqual(
      burst["records"],
      (await device.inner.stored()).map(({ record }) => record.id),
    );
    const another = await device.inbox.reply("capture.burst", { count: 2 });
    assert.deepEqual([another.state, another.code], ["failed", "storage_full"]);
    assert.equal(await device.stateOf(device.inbox.reply("snapshot")), "failed/storage_full");
  });

  it("take as many frames in a row as asked for, tell how far they are, and take none in a dry run", async () => {
    await using device = await bench();
    await running(device);
    const dry = dataOf(await device.inbox.reply("capture.burst", { count: 5, intervalMs: 2_000 }, { dry: true }));
    assert.deepEqual(dry, { camera: "front", count: 5, intervalMs: 2_000, lastsMs: 8_000 });
    const answers = await device.inbox.replies("capture.burst", { args: { count: 5, intervalMs: 2_000 } });
    assert.deepEqual(
      answers.map(({ state }) => state),
      ["accepted", "progress", "progress", "progress", "done"],
    );
    const data = dataOf(answers.at(-1) as Answer);
    assert.deepEqual([data["taken"], data["stored"], data["endedBy"]], [5, 5, "count"]);
    assert.equal(new Set(data["records"] as readonly string[]).size, 5);
  });

  it("pause one camera or all, over a restart, until they are resumed", async () => {
    await using folder = await tempFolder();
    {
      await using device = await bench({ folder: folder.path });
      await running(device);
      const dry = dataOf(await device.inbox.reply("capture.pause", {}, { dry: true }));
      assert.deepEqual(dry["cameras"], [
        { camera: "front", state: "paused" },
        { camera: "back", state: "paused" },
      ]);
      assert.equal(device.front.pauseLeftMs(), undefined);
      dataOf(await device.inbox.reply("capture.pause", { camera: "front" }));
      dataOf(await device.inbox.reply("capture.pause", { camera: "back", durationMs: 3_600_000 }));
      assert.deepEqual(device.driver.calls.at(-1), "stop");
      const { cameras } = dataOf(await device.inbox.reply("camera.list")) as {
        readonly cameras: readonly { readonly state: string; readonly resumesInMs?: number }[];
      };
      assert.deepEqual(
        cameras.map(({ state, resumesInMs }) => [state, resumesInMs !== undefined]),
        [
          ["paused", false],
          ["paused", true],
        ],
      );
      const kept = await readFile(join(folder.path, "state", "pauses.json"), "utf8");
      assert.match(kept, /"camera": "front"\s*\}/);
    }
    await using device = await bench({ folder: folder.path });
    await until(() => device.back.health().state === "paused", "it is paused");
    assert.deepEqual([device.front.health().state, device.driver.calls.length], ["paused", 0]);
    const leftMs = device.back.pauseLeftMs() ?? 0;
    assert.ok(leftMs > 3_590_000 && leftMs < 3_600_000, `${leftMs}`);
    const { cameras } = dataOf(await device.inbox.reply("capture.resume"));
    assert.deepEqual(cameras, [
      { camera: "front", wasPaused: true },
      { camera: "back", wasPaused: true },
    ]);
    await running(device);
    assert.doesNotMatch(await readFile(join(folder.path, "state", "pauses.json"), "utf8"), /front|back/);
  });

  it("open a camera anew, also out of its back-off, and say when that does not help", async () => {
    await using device = await bench();
    await running(device);
    const { driver, front, inbox } = device;
    const starts = driver.count("start");
    assert.equal(dataOf(await inbox.reply("camera.reopen", { camera: "front" }, { dry: true }))["state"], "running");
    assert.equal(driver.count("start"), starts);
    const first = dataOf(await inbox.reply("camera.reopen", { camera: "front" }));
    assert.deepEqual([first["camera"], first["state"], driver.count("start")], ["front", "running", starts + 1]);
    driver.script.splice(0, 1, new AgentError("CAMERA_UNPLUGGED", "it is unplugged", { disposition: "retry" }));
    const failed = await inbox.reply("camera.reopen", { camera: "front" });
    assert.deepEqual([failed.code, failed.error], ["camera_unavailable", "CAMERA_UNPLUGGED"]);
    driver.script.splice(0, 1, picture);
    dataOf(await inbox.reply("camera.reopen", { camera: "front" }));
    await front.pause();
    assert.equal((await inbox.reply("camera.reopen", { camera: "front" })).error, "CAMERA_PAUSED");
    assert.equal(await device.stateOf(inbox.reply("camera.reopen", { camera: "roof" })), "refused/not_found");
  });

  it("explain why frames were kept or not, and a record by its id", async () => {
    await using device = await bench();
    const { inbox, front, inner } = device;
    await until(() => front.health().framesCaptured > 2, "frames came");
    const { record } = dataOf(await inbox.reply("snapshot"));
    const of = async (args: object) => dataOf(await inbox.reply("explain.frame", args));
    const { cameras } = (await of({ camera: "front" })) as {
      readonly cameras: readonly { readonly decisions: readonly Readonly<Record<string, unknown>>[] }[];
    };
    const decisions = cameras[0]?.decisions ?? [];
    const refused = decisions.find(({ kind }) => kind === "not-kept");
    assert.equal(refused?.["why"], "label");
    assert.equal(refused["text"], "not kept: it shows none of keep.labels");
    assert.deepEqual(refused["best"], { label: "person", score: 0.9 });
    assert.ok(Number(refused["frames"]) >= 1);
    const kept = decisions.find((decision) => decision["record"] === record);
    assert.equal(kept?.["text"], "kept as a record: somebody asked for it");
    const { decision } = (await of({ record })) as { readonly decision: Readonly<Record<string, unknown>> };
    assert.deepEqual([decision["kind"], decision["why"]], ["stored", "requested"]);
    assert.equal(await device.stateOf(inbox.reply("explain.frame", { record: "nobody" })), "refused/not_found");
    await front.pause();
    const all = (await of({})) as { readonly cameras: readonly { readonly text: string; readonly state: string }[] };
    assert.deepEqual(
      all.cameras.map(({ state }) => state),
      ["paused", "running"],
    );
    assert.equal(all.cameras[0]?.text, "camera front is paused until it is resumed");
    // What the pipeline has forgotten the record itself still tells.
    const old = await inner.pipeline.submit(picture, { cameraId: "front" }, never);
    assert.equal(old.kind, "stored");
    const { decision: stored } = (await of({ record: old.record.id })) as { readonly decision: object };
    assert.equal((stored as { readonly why: string }).why, "requested");
  });

  it("refuse what is no argument, without an effect", async () => {
    await using device = await bench();
    await running(device);
    for (const [name, args, path] of [
      ["snapshot", { camera: 7 }, "/args/camera"],
      ["snapshot", { inline: "yes" }, "/args/inline"],
      ["capture.pause", { durationMs: 0 }, "/args/durationMs"],
      ["capture.pause", { durationMs: 1e15 }, "/args/durationMs"],
      ["capture.pause", { camera: "../x" }, "/args/camera"],
      ["capture.resume", { durationMs: 5 }, "/args"],
      ["capture.burst", {}, "/args/count"],
      ["capture.burst", { count: 0 }, "/args/count"],
      ["capture.burst", { count: 100_000 }, "/args/count"],
      ["capture.burst", { count: 100, intervalMs: 60_000 }, "/args/intervalMs"],
      ["camera.list", { camera: "front" }, "/args"],
      ["camera.reopen", {}, "/args/camera"],
      ["explain.frame", { camera: "front", record: "x" }, "/args"],
    ] as const) {
      const { state, code, data } = await device.inbox.reply(name, args);
      assert.deepEqual([state, code, data], ["refused", "bad_args", { path }], `${name} ${JSON.stringify(args)}`);
    }
    assert.deepEqual([await device.inner.stored(), device.front.pauseLeftMs()], [[], undefined]);
  });
});

describe("commands that set what cameras take and what counts", () => {
  async function patchOf(name: string, args: object, more: object = {}) {
    const patches: { readonly patch: object; readonly dry: boolean }[] = [];
    const settings = {
      async change(patch: object, { dry }: { readonly dry: boolean }) {
        patches.push({ patch, dry });
        return { changed: true };
      },
    };
    const cameras = [{ id: "front" }] as never;
    await using inbox = await InboxBench.open(settingsOfCameras({ cameras }, settings));
    return { answer: await inbox.reply(name, args, more), patches };
  }

  it("write a camera's pace and rules as a merge patch in the config's own words", async () => {
    const keep = { labels: ["person"], minScore: null, minIntervalMs: 2_500, newObjects: { forgetAfterMs: 60_000 } };
    const { answer, patches } = await patchOf("capture.set", { camera: "front", intervalMs: 10_000, keep });
    assert.deepEqual([answer.state, answer.data], ["done", { changed: true }]);
    const rules = { labels: ["person"], minScore: null, minInterval: "2500ms", newObjects: { forgetAfter: "60000ms" } };
    const front = { interval: "10000ms", framesPerSecond: null, keep: rules };
    assert.deepEqual(patches, [{ patch: { cameras: { front } }, dry: false }]);
    const faster = await patchOf("capture.set", { camera: "front", framesPerSecond: 2 }, { dry: true });
    assert.deepEqual(faster.patches, [{ patch: { cameras: { front: { framesPerSecond: 2 } } }, dry: true }]);
    const without = await patchOf("capture.set", { camera: "front", keep: { minIntervalMs: null, newObjects: null } });
    assert.deepEqual(without.patches[0]?.patch, {
      cameras: { front: { keep: { minInterval: null, newObjects: null } } },
    });
  });

  it("write what counts as a detection likewise", async () => {
    const detector = { threshold: 0.4, thresholds: { person: 0.3, cat: null }, deny: null, minBox: 12 };
    const { patches } = await patchOf("detect.set", detector);
    assert.deepEqual(patches, [{ patch: { detector }, dry: false }]);
  });

  it("add no camera", async () => {
    const { answer, patches } = await patchOf("capture.set", { camera: "roof", framesPerSecond: 2 });
    assert.deepEqual([answer.state, answer.code, patches], ["refused", "not_found", []]);
  });

  it("refuse what sets nothing, or two things that speak against each other", async () => {
    for (const [name, args, path] of [
      ["capture.set", { camera: "front" }, "/args"],
      ["capture.set", { intervalMs: 5 }, "/args/camera"],
      ["capture.set", { camera: "front", intervalMs: 5, framesPerSecond: 5 }, "/args/framesPerSecond"],
      ["capture.set", { camera: "front", intervalMs: 0.5 }, "/args/intervalMs"],
      ["capture.set", { camera: "front", keep: { minScore: 2 } }, "/args/keep/minScore"],
      ["capture.set", { camera: "front", keep: { schedule: 1 } }, "/args/keep"],
      ["detect.set", {}, "/args"],
      ["detect.set", { threshold: 1.5 }, "/args/threshold"],
      ["detect.set", { thresholds: { person: 2 } }, "/args/thresholds/person"],
      ["detect.set", { model: "/etc/passwd" }, "/args"],
    ] as const) {
      const { answer, patches } = await patchOf(name, args);
      assert.deepEqual(
        [answer.state, answer.code, answer.data, patches],
        ["refused", "bad_args", { path }, []],
        `${name} ${JSON.stringify(args)}`,
      );
    }
  });
});
