import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { acts, CameraStandIns } from "../lib/camera-stand-ins.ts";
import { jpegOf } from "../lib/pictures.ts";

describe("the daemon, asked to end", () => {
  it("waits for many programs that hear no signal no longer than for one, and misses no part before its end", async () => {
    await using standIns = await CameraStandIns.make([await jpegOf(90)]);
    const program = await standIns.program("deaf", ["trap '' INT TERM", ...acts.replay(100)]);
    const cameras = [1, 2, 3, 4].map((number) => ({ id: `deaf-${number}`, driver: "exec", command: [program] }));
    const targets = [{ id: "kept", kind: "folder", path: join(standIns.path, "kept") }];
    const config = await writeConfig(standIns.path, { cameras, targets });
    await using agent = new AgentProcess(["run", "-c", config, "--data", join(standIns.path, "data")]);
    await agent.untilLogged("camera.running", cameras.length, 10_000);
    const asked = performance.now();
    // Some service managers and shells tell every process of the group: the detector is then still needed.
    agent.killGroup("SIGTERM");
    assert.equal((await agent.ended()).code, 0);
    const tookMs = performance.now() - asked;
    // Each is given two seconds before it is killed.
    assert.ok(tookMs > 1_900, "the programs are deaf indeed");
    assert.ok(tookMs < 5_000, `it took ${Math.round(tookMs)} ms`);
    assert.doesNotMatch(agent.stderr.join("\n"), /VISION_|vision\.ended/);
    assert.equal(agent.logged("stopped")[0]?.["clean"], true);
    await standIns.allGone();
  });
});
