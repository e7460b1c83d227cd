import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { isWithheld, withheldTarget } from "../../agent/local-only.ts";
import { rulesFor } from "../../agent/remote/config-rules.ts";
import { snapshotPort } from "../../agent/remote/snapshot-port.ts";
import { privacyWarnings } from "../../agent/warnings.ts";
import { folderDriver } from "../../src/capture/folder/driver.ts";
import { makeScratchFolder, memoryPlaces } from "../../src/capture/webcam/scratch.ts";
import { checkAccess } from "../../src/config/overlay-access.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { explainUpload } from "../../src/remote/commands/explain-upload.ts";
import { Gate } from "../../src/deliver/gate.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const never = new AbortController().signal;
const mask = {
  size: { width: 640, height: 360 },
  polygons: [
    [
      [0, 0],
      [9, 0],
      [9, 9],
    ],
  ],
};
const gate = { id: "gate", driver: "rpicam", privacy: { mask } };

describe("privacy settings", () => {
  const problems = (config: object) =>
    (configSchema.safeParse(config).error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);

  it("refuse a mask that lies outside of the picture it was drawn for", () => {
    const at = (x: number) => ({
      ...mask,
      polygons: [
        [
          [0, 0],
          [x, 0],
          [9, 9],
        ],
      ],
    });
    assert.deepEqual(problems({ cameras: [{ ...gate, privacy: { mask: at(640) } }] }), []);
    assert.deepEqual(problems({ cameras: [{ ...gate, privacy: { mask: at(641) } }] }), [
      "cameras.0.privacy.mask.polygons.0.1: lies outside of the 640x360 picture",
    ]);
  });

  it("refuse a page that others can open where nothing may leave", () => {
    const config = { cameras: [gate], web: { listen: "0.0.0.0:8470", token: "a-token-of-enough-characters" } };
    assert.deepEqual(problems(config), []);
    assert.equal(problems({ ...config, privacy: { localOnly: true } }).length, 1);
    assert.deepEqual(problems({ ...config, web: { enabled: false }, privacy: { localOnly: true } }), []);
  });

  it("say what they turn off", () => {
    const cloud = { id: "cloud", kind: "mqtt", url: "mqtt://127.0.0.1" };
    const remote = { url: "mqtt://127.0.0.1", allowAnonymous: true, homeAssistant: { pictures: true } };
    const warned = (more: object) =>
      privacyWarnings(configSchema.parse({ cameras: [gate], targets: [cloud], ...more }));
    assert.deepEqual(warned({}), []);
    assert.deepEqual(warned({ remote, privacy: { localOnly: true } }), [
      "privacy.localOnly: off are cloud, and Home Assistant gets no pictures; take it out to send again",
      "privacy.localOnly: no folder target is left, so nothing is kept; add one to targets",
    ]);
    assert.equal(warned({ privacy: { remoteChanges: true } }).length, 1);
    const blurred = { ...gate, privacy: { blur: { labels: ["person"] } } };
    assert.deepEqual(warned({ cameras: [blurred], detector: { deny: ["person"] } }), [
      "gate: nothing is kept, as the detector's own rules forget person; take it out of detector.deny",
    ]);
  });

  describe("and remote commands", () => {
    const cameras = { gate: { driver: "rpicam", rotation: 0, privacy: { mask } }, yard: { driver: "ffmpeg" } };
    const refusal = (after: object, { file = {}, before = { cameras } }: { file?: object; before?: object } = {}) => {
      const config = { ...before };
      try {
        checkAccess(rulesFor(config, { ...file }), { before: config, after: { ...after }, patch: {}, isAdmin: true });
        return undefined;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    const withGate = (change: object) => ({ cameras: { ...cameras, gate: { ...cameras.gate, ...change } } });

    it("change nothing that would uncover something", () => {
      for (const after of [
        withGate({ privacy: undefined }),
        withGate({
          privacy: {
            mask: {
              ...mask,
              polygons: [
                [
                  [0, 0],
                  [9, 0],
                  [9, 8],
                ],
              ],
            },
          },
        }),
        withGate({ privacy: { mask: { ...mask, size: { width: 640, height: 361 } } } }),
        withGate({ rotation: 180 }),
        withGate({ hflip: true }),
        { cameras: { yard: cameras.yard } },
        { cameras: { ...cameras, yard: { driver: "http-mjpeg", url: "http://gate" } } },
        { cameras: { ...cameras, more: { driver: "ffmpeg", input: "rtsp://gate" } } },
        { cameras, detector: { deny: ["person"] } },
        { cameras, detector: { minBox: 400 } },
        { cameras, privacy: { remoteChanges: true } },
        { cameras, privacy: { localOnly: false } },
      ]) {
        assert.equal(refusal(after), "CONFIG_PATCH_NEVER", JSON.stringify(after));
      }
      assert.equal(refusal(withGate({ interval: "9s" })), undefined);
    });

    it("change as before where nothing is hidden", () => {
      const bare = { cameras: { gate: { driver: "rpicam" } } };
      assert.equal(refusal({ cameras: { gate: { driver: "rpicam", rotation: 180 } } }, { before: bare }), undefined);
      assert.equal(refusal({ ...bare, privacy: { localOnly: true } }, { before: bare }), "CONFIG_PATCH_NEVER");
    });

    it("change it where the operator's own file lets them", () => {
      const file = { privacy: { remoteChanges: true } };
      assert.equal(refusal(withGate({ privacy: undefined }), { file }), undefined);
      assert.equal(refusal({ cameras, privacy: { localOnly: true } }, { file }), undefined);
      assert.equal(refusal({ cameras, privacy: { remoteChanges: true } }, { file }), "CONFIG_PATCH_NEVER");
      // Not what a command has written.
      const before = { cameras, privacy: { remoteChanges: true } };
      assert.equal(
        refusal({ ...withGate({ privacy: undefined }), ...{ privacy: before.privacy } }, { before }),
        "CONFIG_PATCH_NEVER",
      );
    });
  });

  describe("with localOnly", () => {
    const target = {
      ...{
        id: "cloud",
        kind: "mqtt",
        capacity: () => ({ recordsPerCallMax: 1, bytesPerCallMax: 1, callsInFlightMax: 1 }),
      },
      ...{ wants: () => true, start: () => Promise.reject(new Error("it was started")), probe: async () => undefined },
      ...{ deliver: async () => new Map(), close: async () => undefined },
    };

    it("connect to nothing and owe nothing", async () => {
      const withheld = withheldTarget(target);
      await withheld.start();
      assert.equal(withheld.wants({} as Parameters<typeof withheld.wants>[0]), false);
      await assert.rejects(withheld.probe(never), { code: "TARGET_LOCAL_ONLY" });
      await assert.rejects(withheld.deliver([], never), { code: "TARGET_LOCAL_ONLY" });
    });

    it("hold what is owed, whatever an operator says, and say why", () => {
      const privacy = { localOnly: true, remoteChanges: false };
      assert.deepEqual(
        (["mqtt", "iotown", "folder"] as const).map((kind) => isWithheld({ kind }, { privacy })),
        [true, true, false],
      );
      const held = new Gate(new SimulatedClock(), { localOnly: true });
      held.enable(true);
      held.pauseUntil(undefined);
      held.flush(100);
      assert.deepEqual([held.hold()?.kind, held.waitMs()], ["local-only", Infinity]);
      const delivery = { targetId: "cloud", state: "local-only", inFlight: 0 } as const;
      assert.equal(explainUpload({ delivery, pending: 3, quarantined: 0, limitWaitMs: 0 }).reason, "local-only");
    });

    it("put no picture into a reply", async () => {
      const nothing = {} as Parameters<typeof snapshotPort>[0];
      const port = snapshotPort({ ...nothing, localOnly: true }, () => 1_000_000, new SimulatedClock());
      const call = { dry: false, signal: never } as Parameters<typeof port.snapshot>[1];
      await assert.rejects(port.snapshot({ inline: true }, call), {
        code: "PRIVACY_LOCAL_ONLY",
      });
    });
  });
});

describe("pictures on disk of a camera with privacy settings", () => {
  it("are none: their folder is in memory, or there is none", async () => {
    // The root of a Linux machine's processes is neither.
    await assert.rejects(memoryPlaces(["/proc", "/nowhere"]), { code: "CAMERA_NO_SCRATCH" });
    const places = await memoryPlaces(["/proc", "/dev/shm", "/nowhere"]);
    assert.deepEqual(places, ["/dev/shm"]);
    const folder = await makeScratchFolder(places);
    await rm(folder, { recursive: true });
    assert.match(folder, /^\/dev\/shm\//);
  });

  it("are not set aside for a look at them", async () => {
    await using temp = await tempFolder();
    const limits = { watchSettleMs: 0, watchAbandonedMs: 0, watchQuietMs: 1, watchRescanMs: 5 };
    const options = { path: temp.path, mode: "watch" as const, keepsRejected: false };
    const driver = folderDriver(options, { clock: new SystemClock(), limits });
    await writeFile(join(temp.path, "cut.jpg"), Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(500)]));
    await driver.start(never);
    await assert.rejects(driver.shot(never), { code: "CAMERA_BAD_IMAGE" });
    await driver.stop();
    assert.deepEqual(
      (await readdir(temp.path)).filter((name) => !name.startsWith(".")),
      [],
    );
  });
});
