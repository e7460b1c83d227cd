import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "mocha";
import type { SpoolListing } from "../../src/core/ports.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { idsIn, listingsOf } from "../lib/moves.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const kills = Number(process.env["FRAMEPOST_MOVE_KILLS"] ?? 3);
const records = 40 * kills;
const mover = new URL("../lib/spool-mover.js", import.meta.url).pathname;

type What = "export" | "import";

/** Moves until it is killed, so long after it began; true when it was done before that. */
async function moved(what: What, spoolFolder: string, folder: string, forMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [mover, what, spoolFolder, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  await Promise.race([once(child.stdout, "data"), closed]);
  const timer = new AbortController();
  void delay(forMs, undefined, { signal: timer.signal }).then(
    () => child.kill("SIGKILL"),
    () => undefined,
  );
  const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
  timer.abort();
  assert.ok(code === 0 || signal === "SIGKILL", `it ended by itself with ${code}`);
  return code === 0;
}

async function listed(spoolFolder: string, device: string): Promise<readonly SpoolListing[]> {
  await using opened = await openSpool(spoolFolder, { device });
  return await listingsOf(opened.spool.queue);
}

/** Each where it would be sent from: a record that is held, or in the folder, is sent from nowhere as yet. */
function assertNowhereTwice(
  all: ReadonlySet<string>,
  spool: readonly SpoolListing[],
  inFolder: ReadonlySet<string>,
): void {
  const owed = spool.filter(({ deliveries }) => deliveries.some(({ state }) => state !== "held"));
  for (const { record } of owed) assert.ok(!inFolder.has(record.id), `would be sent twice: ${record.id}`);
  const there = new Set([...inFolder, ...spool.map(({ record }) => record.id)]);
  for (const id of all) assert.ok(there.has(id), `lost: ${id}`);
}

describe("records moved under kill -9", () => {
  it(`are each in one place, and in the end each once in the other spool, after ${kills} kills either way`, async function () {
    this.timeout(kills * 4_000 + 20_000);
    await using folder = await tempFolder();
    const [from, stick, to] = ["from", "stick", "to"].map((name) => join(folder.path, name)) as [
      string,
      string,
      string,
    ];
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seededRandom(seed);
    const images = new Map<string, Buffer>();
    {
      await using opened = await openSpool(from, { device: "export" });
      const made = Array.from({ length: records }, (_, number) => imageOf(2_000 + ((number * 7_919) % 30_000), number));
      for (let at = 0; at < made.length; at += 20) {
        await Promise.all(
          made.slice(at, at + 20).map(async (image) => {
            images.set((await opened.spool.append(draftOf(), image, ["a", "b"])).id, image);
          }),
        );
      }
      // Some attempts, and some set aside, have to arrive as they are.
      for (const [at, { record }] of (
        await opened.spool.lease("a", { recordsMax: 20, bytesMax: Infinity })
      ).entries()) {
        const { id } = record;
        if (at % 2 === 0) await opened.spool.settle("a", id, { kind: "rejected", code: "HTTP_413", message: "large" });
        else await opened.spool.settle("a", id, { kind: "retry", afterMs: 1, charged: true, code: "X", message: "y" });
      }
    }
    const before = new Map((await listed(from, "export")).map((each) => [each.record.id, each]));
    const all = new Set(images.keys());
    assert.equal(all.size, records);
    let killed = 0;
    try {
      for (let done = false; !done;) {
        const forMs = killed < kills ? 2 + random() * 50 : 60_000;
        done = await moved("export", from, stick, forMs);
        if (!done) killed += 1;
        assertNowhereTwice(all, await listed(from, "export"), new Set(await idsIn(stick)));
      }
      assert.equal((await listed(from, "export")).length, 0);
      assert.deepEqual(new Set(await idsIn(stick)), all);
      for (let done = false; !done;) {
        const forMs = killed < 2 * kills ? 2 + random() * 50 : 60_000;
        done = await moved("import", to, stick, forMs);
        if (!done) killed += 1;
        const arrived = await listed(to, "import");
        assert.equal(new Set(arrived.map(({ record }) => record.id)).size, arrived.length, "none came in twice");
        const there = new Set([...(await idsIn(stick)), ...arrived.map(({ record }) => record.id)]);
        for (const id of all) assert.ok(there.has(id), `lost: ${id}`);
      }
      assert.ok(killed >= kills, `killed ${killed} times`);
      assert.deepEqual(await idsIn(stick), []);
      await using opened = await openSpool(to, { device: "import" });
      const arrived = await listingsOf(opened.spool.queue);
      assert.equal(arrived.length, records);
      for (const { record, deliveries } of arrived) {
        assert.deepEqual(deliveries, before.get(record.id)?.deliveries);
        assert.deepEqual(await opened.spool.queue.image(record.sequence), images.get(record.id));
      }
    } catch (error) {
      throw new Error(`seed ${seed}, after ${killed} kills`, { cause: error });
    }
  });
});
