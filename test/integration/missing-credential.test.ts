import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { loadSettings } from "../../agent/settings.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { commandContext } from "../lib/command-context.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

const secret = "canary-token-77ab";

describe("a camera or target without its credential", () => {
  it("is a camera or target that alone does not serve: each says why, the others work, what the target is owed waits, and a reload that finds its credential sends it", async function () {
    this.timeout(60_000);
    await using folder = await tempFolder();
    const sandbox = new IotownSandbox({ token: secret });
    const { url } = await sandbox.start();
    try {
      const credential = join(folder.path, "iotown");
      const page = `http://127.0.0.1:${await unusedPort()}`;
      const remote = { id: "gate", driver: "http-snapshot", url: "http://127.0.0.1:1/a.jpg", username: "u" };
      const config = await writeConfig(folder.path, {
        web: { listen: page.slice("http://".length) },
        cameras: [
          { id: "front", driver: "simulated", width: 160, height: 120, interval: "1h", keep: { negativesEvery: 1 } },
          { ...remote, password: "${env:GATE_PASSWORD}" },
        ],
        targets: [
          { id: "set", kind: "folder", path: join(folder.path, "set"), includeEmpty: true },
          { id: "platform", kind: "iotown", url, token: `\${file:${credential}}`, includeEmpty: true },
        ],
      });
      const words = ["-c", config, "--data", join(folder.path, "data")];
      await using daemon = new AgentProcess(["run", ...words, "--log-level", "debug"]);
      await daemon.untilLogged("record.accepted", 1, 30_000);
      const [said] = daemon.logged("target.needs-a-person");
      assert.deepEqual([said?.["target"], said?.["code"]], ["platform", "TARGET_CREDENTIAL_MISSING"]);
      assert.match(
        String(said?.["message"]),
        /^platform is not served: its token has no value: .*iotown cannot be read/,
      );
      const ofCamera = daemon.stderr.find((line) => line.includes("CAMERA_CREDENTIAL_MISSING"));
      assert.match(
        ofCamera ?? "",
        /gate gives no pictures: its password has no value: the environment variable GATE_PASSWORD/,
      );

      const health = await (await fetch(`${page}/healthz`)).text();
      assert.match(health, /"troubles":\[[^\]]*platform is not served: its token has no value/);
      const ran = await framepostInside(["doctor", "--json", ...words]);
      const { checks } = JSON.parse(ran.stdout) as { checks: readonly Record<string, string>[] };
      const check = checks.find((each) => each["check"] === "target platform");
      assert.deepEqual([ran.code, check?.["result"]], [1, "failed"]);
      assert.match(`${check?.["found"]}: ${check?.["mend"]}`, /iotown cannot be read.*: .*systemctl reload framepost/);
      const checked = await framepostInside(["config", "check", "-c", config]);
      assert.deepEqual([checked.code, /targets\.1\.token: .*iotown cannot be read/.test(checked.stdout)], [78, true]);

      await writeFile(credential, secret, { mode: 0o600 });
      daemon.kill("SIGHUP");
      await daemon.untilLogged("started", 2, 30_000);
      await daemon.untilLogged("record.accepted", 4, 30_000);
      const came = sandbox.stored().reduce((sum, { times }) => sum + times, 0);
      assert.equal(came, 2, "the one before it, too");
      assert.ok(!daemon.stderr.some((line) => line.includes(secret)));
      await daemon.stop();
    } finally {
      await sandbox.stop();
    }
  });

  const target = { id: "a", kind: "iotown", url: "https://town.example:8888", token: "${env:TOKEN_A}" };
  const load = async (config: object, options: object = { partsMayLack: true }) => {
    await using folder = await tempFolder();
    const file = await writeConfig(folder.path, { cameras: [{ id: "front", driver: "simulated" }], ...config });
    return await loadSettings({ ...commandContext({}), configFile: file }, "config", options);
  };

  it("is named with its place and never hides the rest of the config", async () => {
    const { config, lacking, secrets } = await load({ targets: [target, { ...target, id: "b", token: "abcdefgh" }] });
    assert.deepEqual(
      config.targets.map(({ id }) => id),
      ["a", "b"],
    );
    assert.deepEqual(
      lacking.map(({ path, message }) => [path, message]),
      [["targets.0.token", "the environment variable TOKEN_A is not set"]],
    );
    assert.deepEqual(secrets, ["abcdefgh"], "what stands in its place is no secret");
  });

  for (const [what, config, options] of [
    ["a command of a person", { targets: [target] }, {}],
    ["another target's mistake beside it", { targets: [target, { ...target, id: "b", url: "nowhere" }] }],
    ["the page's token", { web: { token: "${env:TOKEN_A}" } }],
    ["a label of its filter", { targets: [{ ...target, token: "abcdefgh", labels: ["${env:LABEL}"] }] }],
    ["a placeholder that is no placeholder", { targets: [{ ...target, token: "${vault:a}" }] }],
  ] as const) {
    it(`refuses the config still for ${what}`, async () => {
      await assert.rejects(load(config, options), ConfigError);
    });
  }
});
