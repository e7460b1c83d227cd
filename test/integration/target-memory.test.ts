import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { TargetMemoryFile } from "../../src/state/target-memory.ts";
import { tempFolder } from "../lib/temp.ts";

describe("the memory of a target", () => {
  it("is there after a restart, and no file where nothing was written", async () => {
    await using temp = await tempFolder();
    const memory = new TargetMemoryFile(temp.path, "lake");
    assert.deepEqual(await readdir(temp.path), []);
    await memory.write({ jobId: "j-1", files: ["a.jpg"] });
    await memory.write({ jobId: "j-2", files: [] });
    assert.deepEqual(await new TargetMemoryFile(temp.path, "lake").read(), { jobId: "j-2", files: [] });
    assert.equal(await new TargetMemoryFile(temp.path, "other").read(), undefined);
  });

  it("refuses what is too large and keeps what it had", async () => {
    await using temp = await tempFolder();
    const memory = new TargetMemoryFile(temp.path, "lake");
    await memory.write({ kept: true });
    await assert.rejects(memory.write({ text: "x".repeat(16 * 1024) }), { code: "STATE_TOO_LARGE" });
    assert.deepEqual(await memory.read(), { kept: true });
  });

  it("takes the version before where its file is damaged", async () => {
    await using temp = await tempFolder();
    const memory = new TargetMemoryFile(temp.path, "lake");
    await memory.write({ at: 1 });
    await memory.write({ at: 2 });
    await writeFile(join(temp.path, "targets", "lake.json"), "{oops");
    assert.deepEqual(await new TargetMemoryFile(temp.path, "lake").read(), { at: 1 });
  });

  it("fails clearly where it cannot be opened, and works once it can", async () => {
    await using temp = await tempFolder();
    await writeFile(join(temp.path, "targets"), "a file");
    const memory = new TargetMemoryFile(temp.path, "lake");
    await assert.rejects(memory.read(), { code: "STATE_UNREADABLE" });
  });
});
