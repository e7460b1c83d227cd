import assert from "node:assert/strict";
import { chown, lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "mocha";
import { missing } from "../lib/programs.ts";
import { runProgram } from "../lib/shell.ts";
import { tempFolder } from "../lib/temp.ts";

const nobody = 65_534;
const root = join(import.meta.dirname, "../../..");

async function ownersIn(folder: string): Promise<ReadonlySet<string>> {
  const names = await readdir(folder, { recursive: true });
  const owners = await Promise.all(names.map(async (name) => await lstat(join(folder, name))));
  return new Set(owners.map(({ uid, gid }) => `${uid}:${gid}`));
}

function framepost(dataFolder: string, ...words: readonly string[]): string {
  const config = join(root, "config/demo.yaml");
  const program = join(root, "dist/agent/main.js");
  return runProgram(process.execPath, program, "-c", config, "--data", dataFolder, "--log-level", "error", ...words);
}

describe("commands run as root", () => {
  before(function () {
    if (process.getuid?.() !== 0) missing(this, "root");
  });

  it("leave nothing in the daemon's data folder that the daemon may not read", async function () {
    this.timeout(15_000);
    await using folder = await tempFolder();
    await chown(folder.path, nobody, nobody);
    const captured = framepost(folder.path, "--json", "capture");
    assert.match(captured, /"stored"/);
    assert.match(framepost(folder.path, "queue", "stats"), /^1 record,/);
    assert.deepEqual([...(await ownersIn(folder.path))], [`${nobody}:${nobody}`]);
  });

  it("stay root where root owns the data folder, or nobody yet", async () => {
    await using folder = await tempFolder();
    framepost(join(folder.path, "data"), "queue", "stats");
    framepost(join(folder.path, "data"), "queue", "stats");
    assert.deepEqual([...(await ownersIn(folder.path))], ["0:0"]);
  });
});
