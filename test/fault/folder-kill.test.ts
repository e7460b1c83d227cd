import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, it } from "mocha";
import { parseAnnotation } from "../../src/targets/folder/annotation.ts";
import { folderTargetConfig } from "../../src/targets/folder/config.ts";
import { FolderTarget } from "../../src/targets/folder/target.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";
import { tempFolder } from "../lib/temp.ts";

const writer = fileURLToPath(new URL("folder-writer.js", import.meta.url));
const never = new AbortController().signal;

/** Kills the writer at a random moment; answers with the last record that it called accepted. */
async function killedAfter(path: string, ms: number): Promise<number> {
  const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const closed = once(child, "close");
  await once(child.stdout, "data");
  await delay(ms);
  child.kill("SIGKILL");
  await closed;
  return Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
}

describe("folder target under kill -9", () => {
  it("keeps every accepted record, whole and once, and goes on behind it", async function () {
    this.timeout(20_000);
    const random = seededRandom(11);
    for (let round = 0; round < 8; round += 1) {
      await using folder = await tempFolder();
      const accepted = await killedAfter(folder.path, random() * 60);
      const target = new FolderTarget(folderTargetConfig.parse({ id: "set", kind: "folder", path: folder.path }));
      await target.start();
      // The spool gives those again of which it had no answer; one more that it did have does no harm.
      for (const n of [accepted, accepted + 1, accepted + 2]) {
        const delivery = sampleDelivery(n, sampleJpeg(n, 20_000));
        const outcome = (await target.deliver([delivery], never)).get(delivery.record.id);
        assert.equal(outcome?.kind, "accepted");
      }
      const lines = (await readFile(join(folder.path, "annotations.jsonl"), "utf8")).split("\n").slice(0, -1);
      const names = lines.map((line) => parseAnnotation(line)?.name);
      const expected = Array.from(
        { length: accepted + 2 },
        (_, at) => sampleDelivery(at + 1, sampleJpeg()).record.name,
      );
      assert.deepEqual(names, expected);
      for (const [at, name] of expected.entries()) {
        assert.deepEqual(await readFile(join(folder.path, "images", name)), sampleJpeg(at + 1, 20_000));
      }
      assert.equal((await readdir(join(folder.path, "images"))).length, expected.length);
    }
  });
});
