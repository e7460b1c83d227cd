import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import sharp from "sharp";
import type { SpoolListing } from "../../src/core/ports.ts";
import { reduceLimits } from "../../src/core/deliver-limits.ts";
import { iotownFaults } from "../../src/sandbox/iotown/faults.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import type { AgentProcess } from "../lib/agent.ts";
import { DaemonBench, hashesAt } from "../lib/daemon-bench.ts";
import { freePort } from "../lib/mosquitto.ts";
import { until } from "../lib/poll.ts";
import { randomScene } from "../lib/scenes.ts";
import { seededRandom } from "../lib/seams.ts";

const token = "sandbox-token";
const pictures = 4;

/** How a server misbehaves, and what its records must be then. */
const badAnswers = [
  { id: "t400", fault: "bad-request-400", state: "quarantined", says: /HTTP_400: POST http.*Bad Request/ },
  { id: "t413", fault: "too-large-413", state: "quarantined", says: /HTTP_413: too large, also reduced to .*413/ },
  { id: "t401", fault: "unauthorized-401", state: "pending", says: /HTTP_401/ },
  { id: "t429", fault: "too-many-429", state: "pending", says: /HTTP_429/ },
  { id: "t500", fault: "server-error-500", state: "pending", says: /HTTP_500/ },
  { id: "html", fault: "html", state: "pending", says: /HTTP_NOT_THE_PLATFORM/ },
  { id: "silent", fault: "hang", state: "pending", says: /^$/ },
] as const;

describe("a daemon given bad input", function () {
  this.timeout(60_000);
  let bench: DaemonBench;
  let photos: string;
  const servers: IotownSandbox[] = [];

  beforeEach(async () => {
    bench = await DaemonBench.make();
    photos = join(bench.folder, "photos");
    await mkdir(photos);
    const random = seededRandom(9);
    for (let at = 0; at < pictures; at += 1) {
      await sharp(Buffer.from(randomScene(random).svg))
        .jpeg()
        .toFile(join(photos, `good-${at}.jpg`));
    }
  });

  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
    for (const server of servers.splice(0)) await server.stop();
  });

  async function server(id: string): Promise<{ readonly server: IotownSandbox; readonly target: object }> {
    const one = new IotownSandbox({ token, port: await freePort() });
    servers.push(one);
    const { url } = await one.start();
    return { server: one, target: { id, kind: "iotown", url, token } };
  }

  function deliveriesOf(queue: readonly SpoolListing[], id: string) {
    return queue.flatMap(({ deliveries }) => deliveries).filter(({ targetId }) => targetId === id);
  }

  it("keeps what a bad answer kept from its target, says why, and sends it when the answers are good again", async () => {
    const good = await server("good");
    const bad = await Promise.all(badAnswers.map(async (answer) => ({ ...answer, ...(await server(answer.id)) })));
    for (const { server: one, fault } of bad) one.fault(iotownFaults[fault], Infinity);
    const cameras = [{ id: "photos", driver: "folder", path: photos, mode: "once", interval: "0s" }];
    const config = { cameras, targets: [good.target, ...bad.map(({ target }) => target)] };

    const agent = await bench.start(config);
    const isRefused = ({ id, state }: (typeof bad)[number]) =>
      state === "pending" ||
      agent.logged("record.quarantined").filter((line) => line["target"] === id).length === pictures;
    await agent.until(
      "everybody was asked",
      () =>
        bad.every((one) => one.server.counts().requests > 0 && isRefused(one)) &&
        good.server.counts().accepted === pictures,
    );
    await agent.stop();
    const queue = await bench.queue();
    assert.equal(queue.length, pictures);
    assert.equal(deliveriesOf(queue, "good").length, 0);
    for (const { id, state, says, server: one } of bad) {
      const deliveries = deliveriesOf(queue, id);
      assert.deepEqual(
        deliveries.map((delivery) => delivery.state),
        Array.from({ length: pictures }, () => state),
        id,
      );
      for (const { error = "" } of deliveries) if (state === "quarantined") assert.match(error, says);
      // Two lanes once where it takes longer to get well; one record at a time where it may be well any moment. What is
      // too large comes again as reduced copies.
      const once = id === "t413" ? (1 + reduceLimits.copiesMax) * pictures : pictures;
      const asked = id === "t500" || id === "html" ? 2 * pictures : state === "pending" ? 2 : once;
      assert.ok(one.counts().requests <= asked, `${id} was asked ${one.counts().requests} times`);
    }
    saysWhy(agent);

    for (const { server: one } of bad) one.heal();
    const empty = join(bench.folder, "empty");
    await mkdir(empty);
    const again = await bench.start({ ...config, cameras: [{ ...cameras[0], path: empty }] });
    const owed = bad.filter(({ state }) => state === "pending");
    await again.until("all that was owed arrives", () =>
      owed.every((one) => one.server.counts().accepted === pictures),
    );
    await again.stop();
    for (const { server: one } of owed) assert.deepEqual(hashesAt(one), hashesAt(good.server));
    const left = await bench.queue();
    assert.equal(left.length, pictures, "what was set aside stays on disk");
    assert.deepEqual([...new Set(left.flatMap(({ deliveries }) => deliveries.map((one) => one.targetId)))].sort(), [
      "t400",
      "t413",
    ]);
  });

  /** The log names each target that is in trouble and what a person may do. */
  function saysWhy(agent: AgentProcess): void {
    const health = agent.logged("health").at(-1);
    for (const { id, state, says } of badAnswers) {
      if (state === "pending" && id !== "silent")
        assert.match(String(health?.["troubles"]), new RegExp(`target ${id} is away \\(${says.source}\\)`));
    }
    const [person] = agent.logged("target.needs-a-person");
    assert.equal(person?.["target"], "t401");
  }

  it("passes over pictures that are none, names each in the log, and sends the rest", async () => {
    const whole = await readFile(join(photos, "good-0.jpg"));
    await writeFile(join(photos, "bad-0-empty.jpg"), "");
    await writeFile(join(photos, "bad-1-text.jpg"), "no picture\n".repeat(100));
    await writeFile(join(photos, "bad-2-cut.jpg"), whole.subarray(0, whole.length / 2));
    // Whole from outside: only who decodes it sees that its tables are nonsense.
    const tables = whole.indexOf(Buffer.from([0xff, 0xc4])) + 4;
    const undecodable = Buffer.from(whole).fill(0xff, tables + 1, tables + 17);
    await writeFile(join(photos, "bad-3-undecodable.jpg"), undecodable);
    const { server: one, target } = await server("good");
    const cameras = [{ id: "photos", driver: "folder", path: photos, mode: "once", interval: "0s" }];
    const agent = await bench.start({ cameras, targets: [target] });
    await agent.untilLogged("camera.ended");
    await until(() => one.counts().accepted >= pictures, "the good ones arrive");
    await agent.stop();
    assert.equal(one.counts().accepted, pictures);
    assert.deepEqual(await bench.queue(), []);
    const said = agent.logged("camera.bad_image").map(({ message }) => String(message));
    assert.equal(said.length, 4);
    assert.match(said[0] ?? "", /bad-0-empty\.jpg cannot be used: it is empty/);
    assert.match(said[1] ?? "", /bad-1-text\.jpg cannot be used: it does not start as a JPEG/);
    assert.match(said[2] ?? "", /bad-2-cut\.jpg cannot be used: its picture data ends too early/);
    assert.match(said[3] ?? "", /cannot be decoded/);
    const [dropped] = agent.logged("frame.dropped");
    assert.equal(dropped?.["why"], "image-corrupt");
    assert.equal(dropped["file"], "bad-3-undecodable.jpg");
    assert.equal(agent.logged("camera.ended")[0]?.["bad"], 4);
  });
});
