import assert from "node:assert/strict";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { framepost } from "../lib/command.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

interface Diagnosis {
  readonly healthy: boolean;
  readonly checks: readonly {
    readonly check: string;
    readonly result: string;
    readonly found: string;
    readonly mend?: string;
  }[];
}

describe("doctor beside the running daemon", () => {
  it("disturbs nothing, asks it for the spool, and sends a picture by it", async function () {
    this.timeout(60_000);
    await using folder = await tempFolder();
    const broker = new SandboxBroker({ recordTopics: /^records$/ });
    const sandbox = new IotownSandbox({ token: "abcdefgh" });
    const [{ url: brokerUrl }, { url }] = [await broker.start(), await sandbox.start()];
    try {
      const platform = { kind: "iotown", token: "abcdefgh", includeEmpty: true };
      const config = await writeConfig(folder.path, {
        device: { name: "gw" },
        // Of its own it takes a picture an hour: what arrives is doctor's.
        cameras: [
          { id: "front", driver: "simulated", width: 160, height: 120, interval: "1h", keep: { negativesEvery: 1 } },
        ],
        targets: [
          { id: "broker", kind: "mqtt", url: brokerUrl, topic: "records", includeEmpty: true },
          { id: "platform", url, ...platform },
          { id: "dead", url: `http://127.0.0.1:${await unusedPort()}`, ...platform },
        ],
      });
      await chmod(config, 0o600);
      const data = join(folder.path, "data");
      await using daemon = new AgentProcess(["run", "-c", config, "--data", data, "--log-level", "debug"]);
      await daemon.untilLogged("record.accepted", 2, 30_000);
      await daemon.untilLogged("target.away", 1, 30_000);
      const ran = await framepost(["doctor", "--live", "--json", "-c", config, "--data", data]);
      assert.equal(ran.stderr, "");
      const { healthy, checks } = JSON.parse(ran.stdout) as Diagnosis;
      const line = (check: string) => {
        const found = checks.find((each) => each.check === check);
        return found === undefined ? "" : `${found.result}: ${found.found}; ${found.mend ?? ""}`;
      };
      assert.deepEqual([ran.code, healthy], [1, false]);
      assert.match(line("daemon"), new RegExp(`^ok: it runs as process ${daemon.pid};`));
      assert.match(line("spool"), /^ok: 1 record, /, "owed to the one that is away");
      assert.match(line("target broker"), /^ok: /);
      assert.match(line("live broker"), /^ok: accepted \S+/);
      assert.match(line("live platform"), /^ok: accepted \S+/);
      assert.match(line("live dead"), /^failed: .*\(NET_REFUSED\); check host and port/);
      const failed = checks.filter(({ result }) => result === "failed").map(({ check }) => check);
      assert.deepEqual(failed.toSorted(), ["live dead", "target dead"], ran.stdout);
      assert.ok(
        checks.every(({ result, mend }) => result === "ok" || (mend ?? "") !== ""),
        ran.stdout,
      );
      assert.deepEqual(daemon.logged("mqtt.lost"), [], "doctor came under the daemon's name at the broker");
      const came = sandbox.stored().reduce((sum, { times }) => sum + times, 0);
      assert.equal(came, 2, "its own, and doctor's");
      await daemon.stop();
    } finally {
      await sandbox.stop();
      await broker.stop();
    }
  });
});
