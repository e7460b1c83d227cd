import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { writeConfig } from "../lib/agent.ts";
import { NotifiedAgent, python } from "../lib/notified-agent.ts";
import { needsProgram } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";

const periodMs = 1_200;
/** For a message to come through a machine that is busy. */
const deliveryMs = 300;

describe("the service", () => {
  before(function () {
    needsProgram(this, python.slice("/usr/bin/".length), "python3");
  });

  it("tells over an inherited descriptor, as itself: ready once, reloading, ready again, stopping", async () => {
    await using bench = await benchOf();
    await using agent = new NotifiedAgent("descriptor", bench);
    await agent.until("ready", () => agent.times("READY=1") === 1);
    assert.equal(agent.logged("started").length, 1);
    agent.kill("SIGHUP");
    await agent.until("a second round", () => agent.times("READY=1") === 2);
    await bench.write({ cameras: "none" });
    agent.kill("SIGHUP");
    await agent.until("a refused config", () => agent.times("READY=1") === 3);
    assert.equal(agent.logged("started").length, 2);
    assert.equal(agent.logged("config.not_read").length, 1);
    assert.equal(await agent.stop(), 0);
    const running = "STATUS=1 camera, N queued";
    const said = agent.said();
    const refused = said.findIndex((line) => line.startsWith("STATUS=config refused (CONFIG_INVALID)"));
    assert.deepEqual(said.slice(0, 2), ["READY=1", running]);
    assert.deepEqual(said.slice(2, 6), ["RELOADING=1", "STATUS=reading the config anew", "READY=1", running]);
    assert.deepEqual(said.slice(6, 9), ["RELOADING=1", "STATUS=reading the config anew", "READY=1"]);
    assert.equal(refused, 9);
    assert.deepEqual(said.slice(10), ["STOPPING=1", "STATUS=stopping"]);
    for (const { from, text } of agent.notices) assert.equal(from, agent.pid, text);
    const reload = agent.notices.find(({ text }) => text.startsWith("RELOADING=1"))?.text ?? "";
    const [, microseconds = ""] = /\nMONOTONIC_USEC=(\d+)\n/.exec(reload) ?? [];
    const agoMs = Number(process.hrtime.bigint() / 1_000_000n) - Number(microseconds) / 1_000;
    assert.ok(agoMs > 0 && agoMs < 60_000, `${agoMs} ms ago`);
  });

  it("is ready when the model cannot be loaded, and stays ready once through the rounds of others", async () => {
    await using bench = await benchOf({ detector: { model: "/nowhere/model.onnx" } });
    await using agent = new NotifiedAgent("descriptor", bench);
    await agent.until("ready", () => agent.times("READY=1") === 1);
    assert.ok(agent.logged("model-unusable").length > 0);
    assert.equal(await agent.stop(), 0);
    assert.equal(agent.times("READY=1"), 1);
  });

  it("tells through systemd-notify where only a socket is named", async function () {
    needsProgram(this, "systemd-notify", "systemd");
    await using bench = await benchOf();
    await using agent = new NotifiedAgent("systemd-notify", bench);
    await agent.until("ready", () => agent.times("READY=1") === 1);
    assert.equal(await agent.stop(), 0);
    assert.deepEqual(agent.said(), ["READY=1", "STATUS=1 camera, N queued", "STOPPING=1", "STATUS=stopping"]);
  });

  it("feeds the watchdog as long as every loop turns, and not a period longer", async function () {
    this.timeout(60_000);
    await using bench = await benchOf();
    const env = { WATCHDOG_USEC: String(periodMs * 1_000) };
    await using agent = new NotifiedAgent("descriptor", { ...bench, program: "test/lib/stalling-agent.js", env });
    const fed = () => agent.notices.filter(({ text }) => text === "WATCHDOG=1");
    await agent.until("ready", () => agent.times("READY=1") === 1);
    for (const [index, name] of ["camera:", "pipeline:", "delivery:", "call:", "event-loop"].entries()) {
      const before = fed().length;
      await agent.until(`fed before ${name}`, () => fed().length >= before + 2);
      agent.kill("SIGUSR2");
      await agent.until(`${name} late`, () =>
        agent.logged("service.stuck").some(({ loops }) => String(loops).includes(name)),
      );
      const stalled = agent.logged("test.stalled")[index];
      assert.equal(stalled?.["name"], name);
      const last = fed().at(-1)?.atMs ?? 0;
      assert.ok(
        last - Number(stalled["atMs"]) <= periodMs + deliveryMs,
        `${name} fed ${last - Number(stalled["atMs"])} ms later`,
      );
      agent.kill("SIGUSR2");
    }
    const before = fed().length;
    await agent.until("fed again", () => fed().length > before);
    assert.equal(await agent.stop(), 0);
  });
});

async function benchOf(more: object = {}) {
  const temp = await tempFolder();
  const folder = temp.path;
  const pictures = join(folder, "pictures");
  await mkdir(pictures);
  const picture = sharp({ create: { width: 64, height: 48, channels: 3, background: "#808080" } });
  await writeFile(join(pictures, "one.jpg"), await picture.jpeg().toBuffer());
  const camera = { id: "loop", driver: "folder", mode: "loop", path: pictures, interval: "100ms" };
  const target = { id: "set", kind: "folder", path: join(folder, "set"), includeEmpty: true };
  const config = {
    cameras: [{ ...camera, keep: { negativesEvery: 1 }, motion: { enabled: false } }],
    detector: { model: "tiny-end-to-end" },
    targets: [target],
    web: { enabled: false },
  };
  const write = (changed: object) => writeConfig(folder, { ...config, ...more, ...changed });
  // Repeated troubles are counted at other levels.
  const words = ["run", "-c", await write({}), "--data", join(folder, "data"), "--log-level", "debug"];
  return { folder, words, write, [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose]() };
}
