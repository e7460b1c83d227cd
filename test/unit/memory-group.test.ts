import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { ownGroupMemory } from "../../src/vision/memory-group.ts";
import { tempFolder } from "../lib/temp.ts";

const unit = "0::/system.slice/framepost.service\n";
const stat = "anon 200000000\nfile 900000000\nkernel 5000000\nshmem 10000000\nfile_mapped 70000000\nanon_thp 0\n";

describe("the memory of a service", () => {
  for (const [what, max, high, boundBytes] of [
    ["is bounded by memory.max", "400000000\n", "max\n", 400e6],
    ["is bounded by memory.high, where that is less", "400000000\n", "300000000\n", 300e6],
    ["is bounded by memory.high alone", "max\n", "300000000\n", 300e6],
  ] as const) {
    it(`${what}, and counts without the cache of files`, async () => {
      assert.deepEqual(await read({ "memory.max": max, "memory.high": high, "memory.stat": stat }), {
        usedBytes: 210e6,
        boundBytes,
      });
    });
  }

  it("is read anew each time", async () => {
    await using folder = await tempFolder();
    const group = await fill(folder.path, { "memory.max": "400000000\n", "memory.stat": stat });
    const memory = ownGroupMemory(join(folder.path, "cgroup"), folder.path);
    assert.equal(memory()?.boundBytes, 400e6);
    await writeFile(join(group, "memory.max"), "500000000\n");
    assert.equal(memory()?.boundBytes, 500e6);
  });

  it("is unknown where nothing bounds it, nothing counts it, or there are no groups of version 2", async () => {
    const none = { "memory.max": "max\n", "memory.high": "max\n", "memory.stat": stat };
    assert.equal(await read(none), undefined);
    assert.equal(await read({ "memory.max": "400000000\n" }), undefined);
    assert.equal(await read({}), undefined);
    const bounded = { "memory.max": "400000000\n", "memory.stat": stat };
    assert.equal(await read(bounded, "4:memory:/system.slice/framepost.service\n"), undefined);
    assert.equal(ownGroupMemory("/nowhere/cgroup", "/nowhere")(), undefined);
  });
});

async function read(files: Readonly<Record<string, string>>, membership = unit) {
  await using folder = await tempFolder();
  await fill(folder.path, files, membership);
  return ownGroupMemory(join(folder.path, "cgroup"), folder.path)();
}

async function fill(root: string, files: Readonly<Record<string, string>>, membership = unit): Promise<string> {
  const group = join(root, "system.slice/framepost.service");
  await mkdir(group, { recursive: true });
  await writeFile(join(root, "cgroup"), membership);
  for (const [name, text] of Object.entries(files)) await writeFile(join(group, name), text);
  return group;
}
