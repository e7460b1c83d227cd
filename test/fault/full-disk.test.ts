import assert from "node:assert/strict";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { DaemonBench, hashesAt } from "../lib/daemon-bench.ts";
import { freePort } from "../lib/mosquitto.ts";
import { mountSmallDisk, needsSmallDisk, unmount } from "../lib/small-disk.ts";

const token = "sandbox-token";

describe("a daemon whose disk fills up (tmpfs of 16 MB)", function () {
  this.timeout(60_000);
  let bench: DaemonBench;
  let server: IotownSandbox;

  before(async function () {
    await needsSmallDisk(this);
  });

  beforeEach(async () => {
    bench = await DaemonBench.make();
    await mkdir(bench.dataFolder);
    mountSmallDisk(bench.dataFolder, 16);
    server = new IotownSandbox({ token, port: await freePort() });
  });

  afterEach(async () => {
    await bench.end();
    unmount(bench.dataFolder);
    await bench[Symbol.asyncDispose]();
    await server.stop();
  });

  /** Takes what is left of the disk, but for so many bytes. */
  async function fill(name: string, leave: number): Promise<string> {
    const { bavail, bsize } = await statfs(bench.dataFolder);
    const file = join(bench.dataFolder, name);
    await writeFile(file, Buffer.alloc(bavail * bsize - leave));
    return file;
  }

  it("goes on, says so, counts what it refuses, loses nothing it took, and stores again when there is room", async () => {
    const { url } = await server.start();
    await server.stop();
    const size = { width: 320, height: 240 };
    const config = {
      cameras: [{ id: "scene", driver: "simulated", interval: "100ms", ...size, keep: { negativesEvery: 1 } }],
      spool: { minFreeBytes: "1MB", eviction: "none" },
      targets: [{ id: "town", kind: "iotown", url, token, includeEmpty: true }],
    };
    const agent = await bench.start(config);
    await agent.untilLogged("record.stored", 5);
    // The spool leaves 5 MB alone: it is full long before the disk is.
    const most = await fill("most", 5_200_000);
    await agent.untilLogged("spool.full");
    assert.match(String(agent.logged("spool.full")[0]?.["message"]), /bytes are free, and \d+ have to stay so/);
    const rest = await fill("rest", 0);
    await delay(1_500);
    await rm(rest);
    assert.equal(agent.logged("spool.full").length, 1, "said once");
    await agent.stop();
    const health = agent.logged("health").at(-1);
    const refused = Number(health?.["refused"]);
    assert.ok(refused >= 2 && refused <= 4, `${refused} refused: capture pauses`);
    assert.equal(health?.["frames"], Number(health?.["stored"]) + Number(health?.["refused"]));
    assert.match(String(health["troubles"]), /the spool is full/);
    const whenFull = bench.stored();
    assert.equal((await bench.queue()).length, whenFull.length);

    // Another film: records are counted by their pictures.
    const [camera] = config.cameras;
    const again = await bench.start({ ...config, cameras: [{ ...camera, seed: 2 }] });
    await again.untilLogged("spool.full");
    await rm(most);
    await again.untilLogged("spool.takes-again");
    await again.until("records again", () => bench.stored().length >= whenFull.length + 5);
    const owed = bench.stored().length;
    await server.start();
    await again.until("all that was owed arrives", () => server.counts().accepted >= owed, 20_000);
    await again.stop();
    const left = (await bench.queue()).map(({ record }) => record.imageSha256);
    assert.equal(new Set([...hashesAt(server), ...left]).size, bench.stored().length);
    assert.deepEqual(server.violations(), []);
  });

  it("starts after a kill with not a byte left, also with state to begin, and goes on when there is room", async () => {
    const { url } = await server.start();
    await server.stop();
    const scene = { id: "scene", driver: "simulated", interval: "100ms", width: 320, height: 240 };
    const config = {
      cameras: [{ ...scene, keep: { negativesEvery: 1 } }],
      spool: { minFreeBytes: "1MB" },
      targets: [{ id: "town", kind: "iotown", url, token, includeEmpty: true }],
    };
    const agent = await bench.start(config);
    await agent.untilLogged("record.stored", 5);
    agent.killGroup("SIGKILL");
    await agent.ended();
    // As after an upgrade to a version that keeps something new.
    for (const name of ["pauses.json", "upload.json", "clock.json", "models.json"]) {
      await rm(join(bench.dataFolder, "state", name));
    }
    // As the upkeep writes it some seconds after a start.
    await writeFile(join(bench.dataFolder, "spool", "reserve"), Buffer.alloc(spoolLimits.reserveBytes, 1));
    const others = await fill("others", 0);
    const again = await bench.start({ ...config, upload: { bytesPerDay: "1GB" } });
    assert.equal(again.logged("device.start_uncounted").length, 1, "the disk took nothing");
    await again.untilLogged("spool.full");
    await server.start();
    await again.until("what waited arrives", () => server.counts().accepted >= 5, 20_000);
    await rm(others);
    await again.untilLogged("record.stored");
    assert.deepEqual(again.logged("delivery.unsettled"), []);
    await again.stop();
    assert.deepEqual(server.violations(), []);
  });
});
