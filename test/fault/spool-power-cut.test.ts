import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "mocha";
import { CutDisk, cutDiskTrouble } from "../endurance/cut-disk.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { missing } from "../lib/programs.ts";
import { findingsOf } from "../lib/verify.ts";

/**
 * Works until the index's WAL has been folded in once: from then on it is written over in place, so that flushing it makes
 * nothing of the folders durable. Then two groups are accepted, and nothing is appended after them.
 */
const program = (folder: string): string => `
  const { openSpool } = await import(${JSON.stringify(new URL("../lib/disk-spool.js", import.meta.url).href)});
  const { draftOf, imageOf } = await import(${JSON.stringify(new URL("../lib/drafts.js", import.meta.url).href)});
  const { spool } = await openSpool(${JSON.stringify(folder)});
  const append = async (records) => {
    for (let at = 0; at < records; at += 4) {
      await Promise.all([1, 2, 3, 4].map(() => spool.append(draftOf(), imageOf(200), ["a"])));
    }
  };
  const accept = async (recordsMax) => {
    for (const { record } of await spool.lease("a", { recordsMax, bytesMax: Infinity })) {
      await spool.settle("a", record.id, { kind: "accepted" });
    }
  };
  for (let times = 0; times < 8; times += 1) {
    await append(64);
    await accept(64);
  }
  await append(400);
  await accept(256);
  process.stdout.write("accepted\\n");
  setInterval(() => {}, 1_000);`;

describe("a power cut after records were finished", () => {
  it("leaves no file behind that the index has forgotten", async function () {
    this.timeout(30_000);
    const trouble = cutDiskTrouble();
    if (trouble !== undefined) missing(this, trouble);
    using disk = new CutDisk();
    const folder = join(disk.folder, "spool");
    const writer = spawn(process.execPath, ["--input-type=module", "--eval", program(folder)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(writer, "close");
    try {
      await Promise.race([once(writer.stdout, "data"), ended]);
      writer.kill("SIGSTOP");
      disk.cut();
    } finally {
      writer.kill("SIGKILL");
      await ended;
    }
    disk.powerOn();
    {
      await using opened = await openSpool(folder);
      assert.ok((await opened.spool.stats()).records >= 144);
      assert.deepEqual(await findingsOf(opened.spool.queue), []);
    }
  });
});
