import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { scene } from "../../src/capture/simulated/scene.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { ReleaseServer } from "../lib/releases.ts";
import { releaseFiles } from "../lib/takeover-bench.ts";
import { tempFolder } from "../lib/temp.ts";
import { never, visionProcess } from "../lib/vision.ts";

describe("the daemon", () => {
  it("takes a signed release into use, and goes back on a command at once", async function () {
    this.timeout(60_000);
    await using folder = await tempFolder();
    await using server = await ReleaseServer.open();
    await using bare = visionProcess({ model: undefined });
    await bare.start(never);
    const { svg } = scene({ seed: 2, index: 1, width: 640, height: 360 });
    const files = await releaseFiles("tiny-yolo8", (await bare.render(svg, { quality: 90 }, never)).jpeg);
    const manifest = Buffer.from(JSON.stringify({ file: "model.onnx", name: "wasps of the south" }));
    server.publish({ version: "7", sequence: 7, files: { ...files, "model.json": manifest } });
    const updates = { url: server.url, publicKey: server.signer.publicKey, every: "1s", probation: "5m" };
    const camera = { id: "yard", driver: "simulated", interval: "200ms", width: 320, height: 240 };
    const config = { cameras: [camera], targets: [], detector: { updates } };
    const file = await writeConfig(folder.path, config);
    const data = join(folder.path, "data");
    await using agent = new AgentProcess(["run", "-c", file, "--data", data]);
    await agent.untilLogged("model.switched", 1, 30_000);
    assert.deepEqual(
      agent.logged("model.switched").map(({ to }) => to),
      ["wasps@7"],
    );
    const said = await framepostInside(["models", "rollback", "-c", file, "--data", data]);
    assert.equal(said.code, 0, said.stderr);
    assert.match(said.stdout, /tiny-end-to-end is in use now, instead of wasps@7/);
    agent.kill("SIGTERM");
    assert.equal((await agent.ended()).code, 0);
    assert.deepEqual(
      (await readdir(join(data, "models"))).filter((name) => name !== "previous"),
      [],
    );
    assert.equal(agent.logged("stopped")[0]?.["clean"], true);
  });
});
