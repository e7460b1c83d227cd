import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, it } from "mocha";
import { folderTargetConfig } from "../../src/targets/folder/config.ts";
import { FolderTarget } from "../../src/targets/folder/target.ts";
import { until } from "../lib/poll.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { tempFolder } from "../lib/temp.ts";

const run = promisify(execFile);
const never = new AbortController().signal;

describe("folder target on a disk that hangs", () => {
  it("answers at once, holds one thread and no second one, and goes on when the disk comes back", async () => {
    await using folder = await tempFolder();
    const annotations = join(folder.path, "annotations.jsonl");
    await mkdir(join(folder.path, "images"));
    // Opening a pipe that nobody reads keeps a thread in the kernel, as a mount does whose server is gone.
    await run("mkfifo", [annotations]);
    const target = new FolderTarget(folderTargetConfig.parse({ id: "set", kind: "folder", path: folder.path }));
    await target.start();
    const code = async (signal: AbortSignal) => {
      const delivery = sampleDelivery(1, sampleJpeg());
      const outcome = (await target.deliver([delivery], signal)).get(delivery.record.id);
      if (outcome?.kind !== "retry") return outcome?.kind;
      return `${outcome.scope} ${outcome.error.code}`;
    };
    try {
      assert.equal(await code(AbortSignal.timeout(100)), "target ABORTED");
      for (let n = 0; n < 8; n += 1) {
        assert.equal(await code(never), "target DISK_FAILED");
        await assert.rejects(target.probe(never), { code: "DISK_FAILED", message: /has not come back/ });
      }
      assert.ok((await stat(folder.path)).isDirectory(), "file work elsewhere still has threads");
    } finally {
      const reader = openSync(annotations, constants.O_RDONLY | constants.O_NONBLOCK);
      await rm(annotations);
      await until(async () => (await code(never)) === "accepted", "the work that hung comes back");
      closeSync(reader);
    }
  });
});
