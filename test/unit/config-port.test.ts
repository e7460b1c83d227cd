import assert from "node:assert/strict";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "mocha";
import { ConfigPort, type ConfigNews } from "../../agent/remote/config-port.ts";
import { Rounds } from "../../agent/rounds.ts";
import { loadSettings } from "../../agent/settings.ts";
import { watchTrial } from "../../agent/trial.ts";
import { AgentError } from "../../src/core/errors.ts";
import { overlayPathOf } from "../../src/config/overlay-file.ts";
import { commandContext } from "../lib/command-context.ts";
import { withInterposed } from "../lib/interposed.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const yaml = `device: {name: gw}
cameras: [{id: front, driver: simulated, interval: 5s}]
remote: {url: "mqtt://127.0.0.1", revertAfter: 10s}
`;

/** The config of a daemon, without its parts. */
async function daemonOf(text = yaml) {
  const folder = await tempFolder();
  const [file, data] = [join(folder.path, "framepost.yaml"), join(folder.path, "data")];
  await writeFile(file, text);
  const context = { ...commandContext(), configFile: file, dataFolder: data, logLevel: "silent" as const };
  const rounds = new Rounds();
  const news: ConfigNews[] = [];
  const start = async () => {
    const port = new ConfigPort(await loadSettings(context, "config", { start: true }), context, rounds);
    await port.settle();
    port.started();
    port.listen((each) => news.push(each));
    return port;
  };
  return {
    ...{ file, rounds, news, start, context },
    path: overlayPathOf(data),
    overlay: () => readFile(overlayPathOf(data), "utf8"),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const call = { dry: false, signal: new AbortController().signal, request: "r1", may: () => true };
const interval = (value: string) => ({ cameras: { front: { interval: value } } });

const intervalOf = (port: ConfigPort): number | undefined => port.settings.config.cameras[0]?.interval;

/** Until the change is on trial, and the next round is asked for. */
async function onTrial(port: ConfigPort, rounds: Rounds, patch: object): Promise<void> {
  const ending = rounds.begin();
  const asked = new Promise<void>((resolve) => ending.addEventListener("abort", () => resolve()));
  const changing = port.change(patch, call);
  await Promise.race([asked, changing]);
}

describe("a change of a running daemon's config", () => {
  it("stays when the broker is reached in time, and is then the way back of the next", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    await onTrial(port, daemon.rounds, interval("1s"));
    assert.match(await daemon.overlay(), /state: trial/);
    await assert.rejects(port.change(interval("2s"), call), { code: "CONFIG_BUSY" });
    await port.reload();
    assert.equal(intervalOf(port), 1_000);
    const answer = port.outcomeOf("r1");
    const remote = { connected: async () => undefined, lastError: () => undefined };
    const clock = new SimulatedClock();
    await watchTrial(port, remote, { clock, ended: daemon.rounds.begin(), rounds: daemon.rounds });
    assert.deepEqual(await answer, {
      revision: 2,
      changed: ["/cameras/front/interval"],
      applied: "parts started anew",
    });
    assert.equal(port.trial(), undefined);
    assert.deepEqual(
      daemon.news.map(({ kind }) => kind),
      ["config-changed"],
    );
    const again = await daemon.start();
    assert.deepEqual(await again.outcomeOf("r1"), await answer, "the next process knows it too");
    assert.equal(again.outcomeOf("r2"), undefined);
  });

  it("is reverted when it is not reached, and the next round says so", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    await onTrial(port, daemon.rounds, interval("1s"));
    await port.reload();
    const never = { connected: () => new Promise<void>(() => undefined), lastError: () => "refused" };
    const ended = daemon.rounds.begin();
    await watchTrial(port, never, { clock: new SimulatedClock(), ended, rounds: daemon.rounds });
    assert.ok(ended.aborted, "another round is asked for");
    await port.reload();
    assert.equal(intervalOf(port), 5_000);
    await assert.rejects(port.outcomeOf("r1") ?? Promise.resolve(), {
      code: "CONFIG_REVERTED",
      message: "taken back: the broker was not reached within 10000 ms: refused",
    });
    assert.equal(daemon.news.length, 0, "this round may have no connection");
    port.listen((each) => daemon.news.push(each));
    assert.deepEqual(
      daemon.news.map(({ data }) => data),
      [
        {
          revision: 3,
          paths: ["/cameras/front/interval"],
          reason: "the broker was not reached within 10000 ms: refused",
        },
      ],
    );
  });

  it("is no hindrance to the next one once it was reverted", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    await onTrial(port, daemon.rounds, interval("1s"));
    await port.reload();
    await port.revert("not reached");
    await port.reload();
    await onTrial(port, daemon.rounds, interval("2s"));
    await port.reload();
    assert.deepEqual([intervalOf(port), port.trial()], [2_000, { withinMs: 10_000 }]);
  });

  it("is what is started next, also where a stop overtook it on its way to the disk", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    let [free, held] = [() => {}, () => {}];
    const freed = new Promise<void>((resolve) => (free = resolve));
    const isHeld = new Promise<void>((resolve) => (held = resolve));
    const hold = (real: typeof rename): typeof rename =>
      async function (from, to) {
        held();
        await freed;
        await real(from, to);
      };
    await withInterposed("rename", hold, async () => {
      void port.change(interval("1s"), call);
      await isHeld;
      const reloading = port.reload();
      // Long enough to read both layers.
      await Promise.race([reloading, delay(100)]);
      free();
      await reloading;
    });
    assert.deepEqual([intervalOf(port), port.trial()], [1_000, { withinMs: 10_000 }]);
  });

  it("is reverted when the parts cannot be started with it", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    await onTrial(port, daemon.rounds, interval("1s"));
    await port.reload();
    assert.equal(await port.goBack(new AgentError("SPOOL_X", "no spool", { disposition: "fatal" })), true);
    assert.equal(intervalOf(port), 5_000);
    await assert.rejects(port.outcomeOf("r1") ?? Promise.resolve(), { message: "taken back: not started: no spool" });
    assert.equal(await port.goBack(new Error("again")), true, "once more with the very config that was at work");
    assert.equal(await port.goBack(new Error("again")), false, "then only a fresh process can help");
  });

  it("of the operator's own is taken with a restart, or the config before stays in force", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    await writeFile(daemon.file, yaml.replace("5s", "7s"));
    await port.check();
    await port.reload();
    assert.deepEqual([intervalOf(port), port.revision()], [7_000, 2]);
    assert.equal(await port.goBack(new Error("does not start")), true);
    assert.equal(intervalOf(port), 5_000);
    await writeFile(daemon.file, "cameras: []");
    await assert.rejects(port.check(), { code: "CONFIG_INVALID" });
    await port.reload();
    assert.equal(intervalOf(port), 5_000);
  });

  it("in place changes what it names, and leaves an edited file to the next start", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    await writeFile(daemon.file, `${yaml.replace("5s", "7s").replace("10s", "20s")}log: {level: warn}\n`);
    assert.deepEqual(await port.change({ remote: { revertAfter: "30s" } }, call), {
      ...{ revision: 2, changed: ["/remote/revertAfter"], applied: "in place" },
    });
    const inForce = (at: ConfigPort) => {
      const { config } = at.settings;
      return [config.remote?.revertAfter, intervalOf(at), config.log.level, at.revision()];
    };
    assert.deepEqual(inForce(port), [30_000, 5_000, "info", 2]);
    await port.change({ log: { level: "warn" } }, call);
    assert.deepEqual(
      inForce(port),
      [30_000, 5_000, "warn", 3],
      "what the file says by now is a change of what is in force",
    );
    await port.change({ log: { level: "info" } }, call);
    assert.deepEqual(inForce(port), [30_000, 5_000, "info", 4]);
    const again = await daemon.start();
    assert.deepEqual(inForce(again), [30_000, 7_000, "info", 5], "the edited file is a change of its own");
  });

  it("that cannot be written changes nothing", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    const many = Array.from({ length: 9_000 }, (_, n) => `a label with a long name ${n}`);
    await assert.rejects(port.change({ detector: { allow: many } }, call), { code: "CONFIG_PATCH_TOO_LARGE" });
    assert.deepEqual([port.revision(), port.trial()], [1, undefined]);
  });

  it("goes back and forth by one, also over what is put in place at once", async () => {
    await using daemon = await daemonOf();
    const port = await daemon.start();
    await assert.rejects(port.rollback(call), { code: "CONFIG_PREVIOUS_NOT_FOUND" });
    await port.change({ log: { level: "debug" } }, call);
    assert.equal(port.settings.config.log.level, "debug");
    await port.rollback(call);
    assert.equal(port.settings.config.log.level, "info");
    await port.rollback(call);
    assert.deepEqual([port.settings.config.log.level, port.revision()], ["debug", 4]);
  });
});
