import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { composeAgent } from "../../agent/compose.ts";
import { configSchema } from "../../agent/config-schema.ts";
import { Lifecycle } from "../../agent/lifecycle.ts";
import { SystemClock } from "../../src/core/clock.ts";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf } from "../lib/drafts.ts";
import { until } from "../lib/poll.ts";
import { sampleJpeg } from "../lib/records.ts";
import { RecordingLogger } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const cameras = [{ id: "none", driver: "folder", path: "/nonexistent", mode: "watch" }];
const spool = { minFreeBytes: "1MB" };

/** The upkeep begins at once. */
class EagerClock extends SystemClock {
  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await super.sleep(ms === spoolLimits.upkeepFirstMs ? 0 : ms, signal);
  }
}

/** A spool of an agent that had only a target `old`. */
async function fill(dataFolder: string, records: number): Promise<void> {
  const targets = [{ id: "old", newestShare: 0, backfill: false, backlog: {}, wants: () => true }];
  await using opened = await openSpool(join(dataFolder, "spool"), { targets });
  for (let at = 0; at < records; at += 1) await opened.spool.append(draftOf(), sampleJpeg(at), ["old"]);
}

async function imagesIn(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith(".jpg")).length;
}

describe("a config whose targets changed", function () {
  this.timeout(20_000);

  it("says at the start which target is gone, and shows it among the others", async () => {
    await using temp = await tempFolder();
    const { path } = temp;
    await fill(path, 3);
    const shown = async (): Promise<string> =>
      (await framepostInside(["queue", "stats", "-c", config, "--data", path])).stdout;
    const config = await writeConfig(path, { cameras, spool: { ...spool, removedTargetsAfter: "2d" } });
    {
      await using agent = new AgentProcess(["run", "-c", config, "--data", path]);
      await agent.untilLogged("spool.target.removed");
      const said = agent.logged("spool.target.removed")[0];
      assert.equal(said?.["target"], "old");
      assert.equal(said["deliveries"], 3);
      const givenUpInMs = Number(said["givenUpInMs"]);
      assert(givenUpInMs > 172_790_000 && givenUpInMs <= 172_800_000, `${givenUpInMs} ms`);
      await agent.untilLogged("started");
      assert.match(await shown(), /^old +3 .*removed/m, "beside the daemon");
      await agent.stop();
    }
    assert.match(await shown(), /^old +3 .*removed/m, "without it");
  });

  it("brings a new folder target all that is there, where it says so", async () => {
    await using temp = await tempFolder();
    const { path } = temp;
    await fill(path, 12);
    const config = configSchema.parse({
      cameras,
      spool,
      targets: [
        { id: "all", kind: "folder", path: join(path, "all"), backfill: true },
        { id: "next", kind: "folder", path: join(path, "next") },
      ],
    });
    const log = new RecordingLogger();
    const agent = await composeAgent(
      config,
      { dataFolder: path },
      { clock: new EagerClock(), random: Math.random, log },
    );
    const lifecycle = new Lifecycle([agent.parts.spool, ...agent.parts.sending], log);
    await lifecycle.start(new AbortController().signal);
    try {
      const counts = async (): Promise<string> =>
        (await agent.spool.stats()).targets
          .map(({ targetId, pending, accepted }) => `${targetId} ${pending} ${accepted}`)
          .join();
      await until(async () => (await counts()) === "all 0 12,old 12 0", "all 12 records in the new data set", 8_000);
      assert.equal(await imagesIn(join(path, "all")), 12);
      assert.equal(await imagesIn(join(path, "next")), 0);
    } finally {
      await lifecycle.stop();
    }
  });
});
