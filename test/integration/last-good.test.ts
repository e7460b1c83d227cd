import assert from "node:assert/strict";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { keepGoodConfig } from "../../agent/good-config.ts";
import { configTroubles, loadSettings, type Settings } from "../../agent/settings.ts";
import { agentVersion } from "../../agent/version.ts";
import { digestOfFile } from "../../src/config/overlay-file.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { readGoodConfigs } from "../../src/state/good-configs.ts";
import { AgentProcess } from "../lib/agent.ts";
import { commandContext } from "../lib/command-context.ts";
import { tempFolder } from "../lib/temp.ts";
import { VirtualClock } from "../lib/virtual-clock.ts";

const good = `dataDir: data
cameras:
  - id: front
    driver: simulated
    interval: 5s
    keep:
      labels: [car]
targets:
  - id: set
    kind: folder
    path: set
    labels: [car]
`;

interface Bench {
  readonly file: string;
  readonly state: string;
  readonly write: (text: string) => Promise<void>;
  readonly load: () => Promise<Settings>;
}

/** A folder in which agents of these versions ran with these configs, the latest first. */
async function bench(
  folder: string,
  ran: readonly (readonly [agentVersion: string, text: string])[] = [["0.0.9", good]],
): Promise<Bench> {
  const file = join(folder, "framepost.yaml");
  const state = join(folder, "data", "state");
  await mkdir(state, { recursive: true });
  const configs = ran.map(([version, text]) => ({ file, text, digest: digestOfFile(text), agentVersion: version }));
  await writeFile(join(state, "config.good.json"), JSON.stringify({ version: 1, state: { configs } }));
  const context = { ...commandContext({ CAR: "car" }), configFile: file };
  return {
    file,
    state,
    write: (text) => writeFile(file, text),
    load: () => loadSettings(context, "config", { start: true, lastGood: true }),
  };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => assert.fail("it was taken"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError);
  assert.equal(error.code, "CONFIG_INVALID");
  return error.message;
}

describe("last good config", () => {
  it("stands in for a file that this version refuses, with its relative paths, and says so", async () => {
    await using folder = await tempFolder();
    const { write, load } = await bench(folder.path);
    await write(good.replace("interval: 5s", "interval: soon"));
    const settings = await load();
    assert.equal(settings.config.cameras[0]?.id, "front");
    assert.equal(settings.dataFolder, join(folder.path, "data"));
    assert.equal(settings.standIn?.agentVersion, "0.0.9");
    const [trouble = ""] = configTroubles(settings);
    assert.match(
      trouble,
      /the config file is refused and the last good one, of version 0\.0\.9, is in force: .*:5:15: /,
    );
  });

  it("does not stand in where nobody asked for it, and for a file that is right", async () => {
    await using folder = await tempFolder();
    const { file, write, load } = await bench(folder.path);
    await write(good.replace("5s", "7s"));
    const settings = await load();
    assert.equal(settings.standIn, undefined);
    assert.deepEqual(configTroubles(settings), []);
    await write("cameras: 5\n");
    await refusal(loadSettings({ ...commandContext(), configFile: file }, "config"));
  });

  it("resolves placeholders anew, and keeps what remote commands changed above it", async () => {
    await using folder = await tempFolder();
    const text = good.replace("labels: [car]\ntargets", 'labels: ["${env:CAR}"]\ntargets');
    const { write, load } = await bench(folder.path, [["0.0.9", text]]);
    const overlay = `revision: 3\nfileDigest: ${digestOfFile(text)}\nchanges:\n  log:\n    level: warn\n`;
    await writeFile(join(folder.path, "data", "config.overlay.yaml"), overlay);
    await write(text.replace("interval: 5s", "interval: soon"));
    const { config, overlay: inForce } = await load();
    assert.deepEqual(config.cameras[0]?.keep.labels, ["car"]);
    assert.equal(config.log.level, "warn");
    assert.equal(inForce.overlay.revision, 3);
  });

  it("stands in for a file that an overlay with a mask does not fit any more, and the mask stays", async () => {
    await using folder = await tempFolder();
    const { write, load } = await bench(folder.path);
    const privacy = "{ mask: { size: { width: 640, height: 360 }, polygons: [[[0, 0], [9, 0], [9, 9]]] } }";
    const overlay = `revision: 3\nfileDigest: x\nchanges: { cameras: { front: { privacy: ${privacy}, seed: 4 } } }\n`;
    await writeFile(join(folder.path, "data", "config.overlay.yaml"), overlay);
    // Another driver has no such setting.
    await write(good.replace("driver: simulated", "driver: rpicam"));
    const settings = await load();
    const [camera] = settings.config.cameras;
    assert.equal(camera?.driver, "simulated");
    assert.equal(camera.privacy?.mask?.polygons.length, 1);
    assert.match(configTroubles(settings)[0] ?? "", /0\.0\.9, is in force: .*seed: with the overlay/);
    const shown = [...settings.config.cameras, ...settings.warnings];
    assert.equal(shown.length, 1, "nothing is left out");
  });

  for (const [what, damage] of [
    ["empty", ""],
    ["full of zeros", "\0".repeat(300)],
    ["no YAML in a line that protects nobody", good.replace("interval: 5s", "interval: [5s")],
  ] as const) {
    it(`stands in for a file that is ${what}`, async () => {
      await using folder = await tempFolder();
      const { file, write } = await bench(folder.path);
      await write(damage);
      // Where the data folder is cannot be read from it.
      const context = { ...commandContext(), configFile: file, dataFolder: join(folder.path, "data") };
      const settings = await loadSettings(context, "config", { lastGood: true });
      assert.equal(settings.standIn?.agentVersion, "0.0.9");
    });
  }

  it("does not stand in for a file that is gone: that is how an agent is taken out of use", async () => {
    await using folder = await tempFolder();
    const { load } = await bench(folder.path);
    assert.match(await refusal(load()), /there is no such file/);
  });

  for (const [what, edited, setting] of [
    ["a camera's keep rule", good.replace("labels: [car]\ntargets", "labels: [bus]\ntargets"), /keep\.labels/],
    ["a target's filter", good.replace(/labels: \[car\]\n$/, "labels: [bus]\n"), /targets\.set\.labels/],
    ["a target that is switched off", good.replace("    path: set", "    enabled: false\n    path: set"), /enabled/],
    ["a camera that is gone", good.replace(/ {2}- id: front[^]*?(?=targets)/, ""), /cameras/],
    ["a page that is switched off", `${good}web: {enabled: false}\n`, /web\.enabled/],
    ["remote control by another account", `${good}remote: {url: "mqtt://127.0.0.1", username: b}\n`, /remote\./],
    ["privacy that this version does not know", `${good}privacy:\n  masks: []\n`, /privacy\.masks/],
  ] as const) {
    it(`fails closed for ${what}`, async () => {
      await using folder = await tempFolder();
      const { write, load } = await bench(folder.path);
      await write(edited.replace("interval: 5s", "interval: soon"));
      const message = await refusal(load());
      assert.match(message, /the last good config is not used: .*is not the same there/);
      assert.match(message, setting);
    });
  }

  it("fails closed where the file is no YAML and a line differs that may protect somebody", async () => {
    await using folder = await tempFolder();
    const { write, load } = await bench(folder.path);
    await write(`${good}privacy: [masks\n`);
    assert.match(await refusal(load()), /what it says of cameras, targets and privacy cannot be read/);
    await write(`${good}web:\n  enabled: [false\n`);
    assert.match(await refusal(load()), /what it says of cameras, targets and privacy cannot be read/);
  });

  it("leaves out what this version does not know, each with a warning", async () => {
    await using folder = await tempFolder();
    const text = `${good}telemetry:\n  every: 5m\n`.replace("    interval: 5s", "    interval: 5s\n    hdr: true");
    const { write, load } = await bench(folder.path, [["9.0.0", text]]);
    await write(text);
    const { config, warnings, standIn } = await load();
    assert.equal(standIn?.agentVersion, "9.0.0");
    assert.equal(config.cameras.length, 1);
    for (const path of ["telemetry", "cameras.0.hdr"]) {
      assert.ok(warnings.includes(`${path} is not known to this version, and is left out`), path);
    }
  });

  for (const [path, text] of [
    ["privacy", `${good}privacy:\n  blur: [person]\n`],
    ["cameras.0.masks", good.replace("    interval: 5s", "    interval: 5s\n    masks: []")],
    ["cameras.0.keep.never", good.replace("      labels: [car]\nt", "      never: [person]\nt")],
    ["spool.encryption.form", `${good}spool:\n  encryption:\n    key: "${"0".repeat(64)}"\n    form: 2\n`],
    ["targets.0.except", `${good}    except: [person]\n`],
    ["remote.strict", `${good}remote:\n  url: mqtt://127.0.0.1\n  strict: true\n`],
  ] as const) {
    it(`never leaves out ${path}`, async () => {
      await using folder = await tempFolder();
      const { write, load } = await bench(folder.path, [["9.0.0", text]]);
      await write(text);
      assert.match(await refusal(load()), new RegExp(path.split(".").at(-1) ?? ""));
    });
  }

  /** With values that a version may have taken which bounded less. */
  const loose = good
    .replace("interval: 5s", "interval: 5s\n    motion: { minArea: 7 }")
    .concat("    newestShare: 4\nspool:\n  maxRecords: 0\nlog: { level: chatty }\n");

  it("serves the defaults of values that this version refuses and an earlier one took, each with a warning", async () => {
    await using folder = await tempFolder();
    const { write, load } = await bench(folder.path, [["0.0.9", loose]]);
    await write(loose);
    const { config, warnings, standIn } = await load();
    assert.equal(standIn?.agentVersion, "0.0.9");
    assert.deepEqual([config.log.level, config.targets[0]?.newestShare], ["info", 0]);
    for (const path of ["cameras.0.motion.minArea", "targets.0.newestShare", "spool.maxRecords", "log.level"]) {
      assert.ok(
        warnings.includes(`the value of ${path} is refused by this version, and its default is in force`),
        path,
      );
    }
  });

  for (const [what, ran, now] of [
    ["that this very version ran with", agentVersion(), good.concat("log: { level: chatty }\n")],
    ["that came with an edit", "0.0.9", good.concat("log: { level: chatty }\nmetrics: { every: 1m }\n")],
    ["that protects somebody", "0.0.9", good.replace("labels: [car]\nt", "labels: car\nt")],
    ["of whom the page lets in", "0.0.9", good.concat("web: { listen: nowhere }\n")],
    ["of where pictures go", "0.0.9", good.replace("path: set", "path: 5")],
    ["of where pictures come from", "0.0.9", good.replace("driver: simulated", "driver: folder\n    path: 5")],
  ] as const) {
    it(`refuses a value ${what}`, async () => {
      await using folder = await tempFolder();
      const before = now.replace("metrics: { every: 1m }\n", "");
      const { write, load } = await bench(folder.path, [[ran, before]]);
      await write(now);
      await refusal(load());
    });
  }

  it("goes back to what an earlier version ran with, where that protects as much", async () => {
    await using folder = await tempFolder();
    const newer = good.replace("driver: simulated", "driver: quantum");
    const { write, load } = await bench(folder.path, [
      ["9.0.0", newer],
      ["0.0.9", good],
    ]);
    await write(newer);
    assert.equal((await load()).standIn?.agentVersion, "0.0.9");
  });

  it("is kept once the agent ran with the file for a minute, and never of a stand-in", async () => {
    await using folder = await tempFolder();
    const { file, state, write, load } = await bench(folder.path);
    const text = good.replace("5s", "7s");
    await write(text);
    const settings = await load();
    const clock = new VirtualClock();
    const ended = new AbortController();
    const kept = keepGoodConfig(settings, { clock, ended: ended.signal });
    await clock.run(59_000);
    assert.equal((await readGoodConfigs(state)).length, 1);
    await clock.run(1_000);
    await kept;
    const [latest, before] = await readGoodConfigs(state);
    assert.deepEqual(latest, { file, text, digest: digestOfFile(text), agentVersion: agentVersion() });
    assert.equal(before?.agentVersion, "0.0.9");
    for (const name of ["config.good.json", "config.good.json.bak"]) await rm(join(state, name));
    await keepGoodConfig({ ...settings, standIn: { agentVersion: "1" } }, { clock, ended: ended.signal });
    assert.deepEqual(await readGoodConfigs(state), []);
  });

  it("holds the operator's secrets, so that only the owner reads it", async () => {
    await using folder = await tempFolder();
    const { state, write, load } = await bench(folder.path);
    await rm(join(state, "config.good.json"));
    await write(good);
    const clock = new VirtualClock();
    const kept = keepGoodConfig(await load(), { clock, ended: new AbortController().signal });
    await clock.run(60_000);
    await kept;
    const { mode } = await stat(join(state, "config.good.json"));
    assert.equal(mode & 0o077, 0);
  });

  it("runs the daemon, which says so in its log", async () => {
    await using folder = await tempFolder();
    const { file, write } = await bench(folder.path);
    await write(good.replace("interval: 5s", "interval: soon"));
    await chmod(file, 0o600);
    await using agent = new AgentProcess(["run", "-c", file, "--log-level", "info"]);
    await agent.untilLogged("started");
    const [refused] = agent.logged("config.refused");
    assert.match(String(refused?.["message"]), /the last good one, of version 0\.0\.9/);
    assert.match(await readFile(file, "utf8"), /soon/, "the operator's file is left as it is");
  });
});
