import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { settleOverlay } from "../../agent/overlay.ts";
import { loadSettings, type LoadOptions } from "../../agent/settings.ts";
import { configLimits } from "../../src/core/limits.ts";
import { overlayPathOf, readOverlay, writeOverlay, type Overlay } from "../../src/config/overlay-file.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { commandContext } from "../lib/command-context.ts";
import { tempFolder } from "../lib/temp.ts";

const yaml = `device: {name: gw}
cameras:
  - id: front
    driver: simulated
    interval: 5s
  - id: yard
    driver: simulated
targets:
  - {id: data, kind: folder, path: out}
`;

/** A config file of an operator and what commands changed above it. */
async function installation(overlay?: Partial<Overlay> | string, text = yaml) {
  const folder = await tempFolder();
  const [file, data] = [join(folder.path, "framepost.yaml"), join(folder.path, "data")];
  await writeFile(file, text);
  const path = overlayPathOf(data);
  await writeOverlay(path, {
    revision: 3,
    fileDigest: "",
    changes: {},
    ...(typeof overlay === "object" ? overlay : {}),
  });
  if (typeof overlay === "string") await writeFile(path, overlay);
  const context = { ...commandContext(), configFile: file, dataFolder: data };
  return {
    ...{ file, data, path },
    load: (options: LoadOptions = {}) => loadSettings(context, "silent", options),
    run: (...words: string[]) => framepostInside([...words, "-c", file, "--data", data]),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const changes = {
  cameras: { front: { interval: "1s" }, gate: { driver: "simulated", seed: 4 } },
  log: { level: "debug" },
};

describe("the overlay", () => {
  it("rules above the operator's file, and every command says where a setting comes from", async () => {
    await using gateway = await installation({ changes });
    const { config, warnings, overlay } = await gateway.load();
    assert.deepEqual(
      config.cameras.map(({ id, interval }) => [id, interval]),
      [
        ["front", 1_000],
        ["yard", 5_000],
        ["gate", 5_000],
      ],
    );
    assert.equal(config.log.level, "debug");
    assert.deepEqual(warnings, []);
    assert.equal(overlay.overlay.revision, 4, "a file that was not seen before is a change");
    const { stdout } = await gateway.run("config", "show", "--origin");
    const lines = stdout.split("\n");
    assert.ok(lines.includes(`cameras.0.interval: "1s"  # ${gateway.path}:7 (overlay)`), stdout);
    assert.ok(lines.includes(`cameras.0.id: "front"  # ${gateway.file}:3`));
    assert.ok(lines.includes(`cameras.2.id: "gate"  # ${gateway.path}:9 (overlay)`), stdout);
    assert.ok(lines.includes(`cameras.1.driver: "simulated"  # ${gateway.file}:7`));
    assert.ok(lines.includes('spool.maxBytes: "2GB"  # default'));
    assert.match((await gateway.run("config", "show")).stdout, /interval: 1s/);
    assert.equal((await gateway.run("config", "check")).code, 0);
  });

  it("that does not fit any more is left out with a warning, and set aside by the daemon", async () => {
    await using gateway = await installation({ changes: { cameras: { back: { interval: "1s" } } }, previous: {} });
    const { config, warnings, overlay } = await gateway.load({ start: true });
    assert.deepEqual(
      config.cameras.map(({ id }) => id),
      ["front", "yard"],
    );
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? "",
      /the config file alone rules.*overlay\.yaml:.*cameras\.2\.driver: with the overlay: missing/,
    );
    const check = await gateway.run("config", "check");
    assert.equal(check.code, 78);
    assert.match(check.stdout, /config\.overlay\.yaml:\d+:\d+: cameras\.2\.driver: with the overlay: missing/);
    await settleOverlay(overlay);
    assert.match(await readFile(`${gateway.path}.set-aside`, "utf8"), /back:/);
    const after = await readOverlay(gateway.path);
    assert.ok(after.kind === "overlay");
    assert.deepEqual([after.overlay.revision, after.overlay.changes], [5, {}]);
    assert.deepEqual((await gateway.load()).warnings, []);
  });

  const mask = { size: { width: 640, height: 360 }, polygons: [[[0, 0], [9, 0], [9, 9]]] }; // prettier-ignore
  for (const [what, cameras] of [
    ["a mask", { front: { privacy: { mask } } }],
    ["a blur", { front: { privacy: { blur: { labels: ["person"] } } } }],
    ["a keep filter", { front: { keep: { labels: ["car"] } } }],
    ["a camera that was taken away", { yard: null }],
  ] as const) {
    it(`that does not fit any more and held ${what} is refused: the file alone would show more`, async () => {
      await using gateway = await installation({ changes: { cameras: { ...cameras, back: { interval: "1s" } } } });
      const refused = { code: "CONFIG_INVALID", message: /with the overlay: .* might show what was hidden; mend it/ };
      await assert.rejects(gateway.load({ start: true, lastGood: true }), refused);
      const check = await gateway.run("config", "check");
      assert.equal(check.code, 78);
      assert.match(check.stdout, /overlay\.yaml:\d+:\d+: cameras\.\d\.driver: with the overlay: missing/);
      const shot = await gateway.run("cameras", "--shot", "front", "--output", join(gateway.data, "front.jpg"));
      assert.equal(shot.code, 78);
      assert.deepEqual(await readdir(gateway.data), ["config.overlay.yaml"], "it stays as it is");
    });
  }

  it("that does not fit any more is refused above a file that hides something, whatever it held", async () => {
    const masked = `cameras:\n  - {id: front, driver: simulated, privacy: {mask: ${JSON.stringify(mask)}}}\n`;
    await using gateway = await installation({ changes: { cameras: { back: { interval: "1s" } } } }, masked);
    await assert.rejects(gateway.load({ start: true }), { code: "CONFIG_INVALID" });
  });

  it("that is damaged is refused where it may have hidden something", async () => {
    await using gateway = await installation("revision: 3\nchanges:\n  cameras:\n    front: {privacy: {mask");
    await assert.rejects(gateway.load({ start: true }), { code: "CONFIG_INVALID" });
    await using allowed = await installation("", `${yaml}privacy: {remoteChanges: true}\n`);
    await assert.rejects(allowed.load({ start: true }), { code: "CONFIG_INVALID" });
  });

  for (const [what, text] of [
    ["empty", ""],
    ["half", "revision: 3\nchanges:\n  cameras:\n    front: {interval"],
    ["binary", "\u0000\u0001\u0000"],
    ["no overlay", "cameras: []"],
    ["too large", `# ${"x".repeat(configLimits.overlayBytesMax)}`],
    ["a list in place of ids", "revision: 1\nfileDigest: x\nchanges: {cameras: []}"],
  ] as const) {
    it(`that is damaged never keeps anything from starting: ${what}`, async () => {
      await using gateway = await installation(text);
      const { config, warnings, overlay } = await gateway.load({ start: true });
      assert.equal(config.cameras.length, 2);
      assert.match(warnings[0] ?? "", /the config file alone rules/);
      assert.equal((await gateway.run("config", "check")).code, 78);
      await settleOverlay(overlay);
      assert.deepEqual((await gateway.load()).warnings, []);
    });
  }

  it("names mistakes of the operator's file as such, whatever stands above it", async () => {
    await using gateway = await installation({ changes: { log: { level: "info" } } }, `${yaml}log: {level: loud}\n`);
    const { code, stdout } = await gateway.run("config", "check");
    assert.equal(code, 78);
    assert.match(stdout, /^[^\n]*framepost\.yaml:10:14: log\.level: expected one of/);
  });

  it("gives a trial up that a start finds, and says why, under a revision of its own", async () => {
    const before = { cameras: { yard: { interval: "2s" } } };
    await using gateway = await installation({
      ...{ revision: 8, changes, previous: before, earlier: {} },
      lastChange: { request: "k r1", revision: 8, paths: ["/log/level"], state: "trial" },
    });
    assert.equal((await gateway.load()).config.log.level, "debug", "beside the daemon the trial is what rules");
    const { config, overlay } = await gateway.load({ start: true });
    assert.deepEqual([config.log.level, config.cameras[1]?.interval], ["info", 2_000]);
    await settleOverlay(overlay);
    const after = await readOverlay(gateway.path);
    assert.ok(after.kind === "overlay");
    const { revision, changes: now, previous, earlier, lastChange } = after.overlay;
    assert.deepEqual([revision, now, previous, earlier], [10, before, {}, undefined]);
    assert.equal(lastChange?.state, "reverted");
    assert.equal(lastChange.request, "k r1");
  });

  it("is read by its owner alone, and nothing else is left beside it", async () => {
    await using gateway = await installation({ changes });
    assert.equal((await stat(gateway.path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(gateway.data), ["config.overlay.yaml"]);
  });

  it("has a bound", async () => {
    await using gateway = await installation({ changes });
    const large = { detector: { allow: Array.from({ length: 9_000 }, (_, n) => `label with a long name ${n} `) } };
    const write = writeOverlay(gateway.path, { revision: 4, fileDigest: "", changes: large });
    await assert.rejects(write, { code: "CONFIG_PATCH_TOO_LARGE" });
    assert.equal((await gateway.load()).config.log.level, "debug");
  });
});
