import assert from "node:assert/strict";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import type { QueueStats } from "../../src/core/queue.ts";
import type { StoredRecord } from "../../src/core/types.ts";
import { envelopePath, layoutOf } from "../../src/spool/layout.ts";
import { AgentProcess, writeConfig } from "../lib/agent.ts";
import { assertNoStack, inTurns, type Ran } from "../lib/command.ts";
import { framepostInside } from "../lib/command-inside.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { draftOf } from "../lib/drafts.ts";
import { jpegOf } from "../lib/pictures.ts";
import { unusedPort } from "../lib/servers.ts";
import { tempFolder } from "../lib/temp.ts";

const token = "sandbox-token-of-the-test";

/**
 * The built program on one data folder: `town` takes records, but one of them was set aside for it; `hub` is away. What
 * the commands say beside the daemon they also say without it.
 */
describe("the queue commands", function () {
  this.timeout(60_000);
  const sandbox = new IotownSandbox({ token });
  let temp: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let folder = "";
  let config = "";
  let image: Buffer = Buffer.alloc(0);
  let second: StoredRecord | undefined;

  before(async () => {
    temp = await tempFolder();
    folder = temp.path;
    const { url } = await sandbox.start();
    const hub = `http://127.0.0.1:${await unusedPort()}`;
    config = await writeConfig(folder, {
      device: { name: "gw" },
      cameras: [{ id: "cam", driver: "simulated", interval: "1h", keep: { labels: ["nothing"] } }],
      targets: [
        { id: "town", kind: "iotown", url, token },
        { id: "hub", kind: "iotown", url: hub, token },
      ],
    });
    image = await jpegOf(90, 64, 48);
    await using opened = await openSpool(spoolFolder());
    const { spool } = opened;
    const draft = draftOf({ imageWidth: 64, imageHeight: 48 });
    for (const owedTo of [["hub"], ["town", "hub"], ["hub"], ["hub"]]) {
      const record = await spool.append(draft, image, owedTo);
      if (owedTo.length === 2) second = record;
    }
    const [delivery] = await spool.lease("town", { recordsMax: 1, bytesMax: Infinity });
    await spool.settle("town", delivery?.record.id ?? "", { kind: "rejected", code: "HTTP_413", message: "too large" });
  });

  after(async () => {
    await sandbox.stop();
    await temp?.[Symbol.asyncDispose]();
  });

  const dataFolder = (): string => join(folder, "data");
  const spoolFolder = (): string => join(dataFolder(), "spool");
  const daemonOf = (): AgentProcess => new AgentProcess(["run", "-c", config, "--data", dataFolder()]);

  async function queue(...words: readonly string[]): Promise<Ran> {
    const ran = await framepostInside(["queue", ...words, "-c", config, "--data", dataFolder()]);
    assertNoStack(ran);
    return ran;
  }

  async function output(...words: readonly string[]): Promise<string> {
    const ran = await queue(...words);
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout;
  }

  /** What a daemon at work changes from one moment to the next is left out. */
  async function answers(): Promise<ReadonlyMap<string, unknown>> {
    const found = new Map<string, string>();
    const words = ["stats --json", "ls --json", "ls --state quarantined", "show 2", "sent --json", "verify"];
    await inTurns(words, async (line) => {
      found.set(line, await output(...line.split(" ")));
    });
    const {
      deliveries,
      upload,
      cameras,
      oldestAgeMs = -1,
      ...stats
    } = JSON.parse(found.get("stats --json") ?? "") as QueueStats;
    assert.deepEqual([deliveries?.length, upload], deliveries === undefined ? [undefined, undefined] : [2, {}]);
    // It starts, or it runs.
    const cameraIds = cameras?.map(({ id }) => id);
    assert.deepEqual(cameraIds, deliveries === undefined ? undefined : ["cam"]);
    assert.ok(oldestAgeMs >= 0);
    const targets = stats.targets.map((target) => ({ ...target, leased: 0 }));
    return new Map<string, unknown>([...found, ["stats --json", { ...stats, targets }]]);
  }

  it("say the same beside the daemon and without it, and change the same", async () => {
    await using daemon = daemonOf();
    await daemon.untilLogged("started", 1, 20_000);
    assert.equal((await stat(join(dataFolder(), "control.sock"))).mode & 0o777, 0o600);
    await daemon.untilLogged("target.away");
    assert.match(
      await output("stats"),
      /^4 records, .*\ntarget .* delivery\nhub +4 +\d +0 +0 +away: NET_REFUSED, (next try in \d+ s|trying now)\ntown +0 +0 +1 +0 +up\n$/,
    );
    const beside = await answers();
    assert.match(String(beside.get("ls --state quarantined")), /^2 .*town quarantined HTTP_413: too large\n$/);
    assert.match(String(beside.get("show 2")), new RegExp(`\\nname +${second?.name}\\n(.*\\n)*person +0\\.75 +`));
    assert.match(String(beside.get("verify")), /^4 records checked, all is well\n$/);
    assert.equal(beside.get("sent --json"), '{"listed":0}\n');
    daemon.kill("SIGKILL");
    await daemon.ended();
    assert.ok((await stat(join(dataFolder(), "control.sock"))).isSocket(), "what a killed daemon leaves is there");
    assert.deepEqual(await answers(), beside);
  });

  it("retry and drop beside the daemon that follows: what was set aside is delivered, what is dropped is counted", async () => {
    await using daemon = daemonOf();
    await daemon.untilLogged("started", 1, 20_000);
    const saved = join(folder, "saved.jpg");
    assert.equal(await output("retry", "--target", "town"), "1 delivery due again\n");
    await daemon.until("the sandbox has it", () => sandbox.counts().accepted === 1);
    await inTurns(
      [
        async () => {
          const found = JSON.parse(await output("show", second?.id ?? "", "--save", saved, "--json")) as object;
          assert.deepEqual(Object.keys(found), ["record", "deliveries", "saved"]);
          assert.deepEqual(await readFile(saved), image);
        },
        async () => {
          // Not the oldest, which is the one that the daemon tries again and again.
          const dropped = await output("drop", "3", "4", "--target", "hub", "--yes", "--json");
          assert.equal(dropped, '{"changed":2,"busy":0}\n');
        },
        async () => {
          const ran = await queue("drop", "nobody-knows-this.jpg", "--yes");
          assert.deepEqual([ran.code, ran.stdout], [1, ""]);
          assert.match(ran.stderr, /\(QUEUE_NOT_FOUND\)\n {2}mend: .*queue ls/);
        },
        async () => {
          const first = await output("prioritize", "--target", "town", "--label", "person", "--json");
          assert.equal(first, '{"changed":0,"busy":0}\n', "town is owed nothing any more");
          const { code, stderr } = await queue("prioritize");
          assert.deepEqual([code, /name records, or a camera/.test(stderr)], [2, true], stderr);
        },
        async () => {
          const ran = await queue("retry", "--target", "nix");
          assert.deepEqual([ran.code, ran.stdout], [2, ""]);
          assert.match(ran.stderr, /no target nix; there is town, hub \(USAGE_TARGET\)/);
        },
      ],
      async (look) => {
        await look();
      },
    );
    const [entry = "", end] = (await output("sent", "--target", "town", "--json")).split("\n");
    const { sequence, name, targetId } = JSON.parse(entry) as Readonly<Record<string, unknown>>;
    assert.deepEqual([sequence, name, targetId], [2, second?.name, "town"]);
    assert.equal(end, '{"listed":1}');
    assert.match(
      await output("stats"),
      /^2 records, .*\n(.*\n)*lost for +reason +priority +deliveries\nhub +dropped +0 +2\n$/,
    );
  });

  it("verify names what is damaged, with exit code 1, and mends it", async () => {
    await rm(envelopePath(layoutOf(spoolFolder()), 1));
    await writeFile(envelopePath(layoutOf(spoolFolder()), 2), "cut");
    const found = await queue("verify");
    assert.equal(found.code, 1);
    assert.match(
      found.stdout,
      /^RECORD_MISSING {2}record 1: .*\nRECORD_DAMAGED {2}record 2: too short\n2 records checked, 2 findings\n$/,
    );
    const mended = await queue("verify", "--repair", "--json");
    assert.equal(mended.code, 1);
    assert.match(mended.stdout, /\n\{"recordsChecked":2,"findings":2,"repair":true\}\n$/);
    assert.equal(await output("verify"), "0 records checked, all is well\n");
    assert.match(await output("stats"), /\nlost for every target: 1 damaged, 1 missing\n/);
  });
});
