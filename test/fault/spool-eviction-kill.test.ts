import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "mocha";
import { openSpool, spoolInAnotherProcess } from "../lib/disk-spool.ts";
import { EvictionOracle } from "../lib/eviction-oracle.ts";
import { tempFolder } from "../lib/temp.ts";

describe("a process killed in the middle of an eviction", () => {
  it("leaves rows without a file, which are given up as missing, and nothing else", async () => {
    await using folder = await tempFolder();
    const kept: string[] = [];
    {
      await using first = await openSpool(folder.path);
      const oracle = new EvictionOracle(first.spool, ["a"], 1_000);
      for (let at = 0; at < 40; at += 1) kept.push((await oracle.append()).id);
    }
    // What an eviction does between its first file and its rows: the next thing is SIGKILL.
    const { signal } = spoolInAnotherProcess(
      folder.path,
      `
      const { layoutOf } = await import(${JSON.stringify(new URL("../../src/spool/layout.js", import.meta.url).href)});
      const { removeEnvelopes } = await import(${JSON.stringify(new URL("../../src/spool/index/disk.js", import.meta.url).href)});
      removeEnvelopes(layoutOf(${JSON.stringify(folder.path)}), [1, 2, 3, 4, 5, 6, 7, 8]);
      process.kill(process.pid, "SIGKILL");
      await new Promise(() => {});`,
    );
    assert.equal(signal, "SIGKILL");
    await using again = await openSpool(folder.path, { eviction: "oldest", recordsMax: 40 });
    const { spool } = again;
    const leased = await spool.lease("a", { recordsMax: 100, bytesMax: Infinity });
    assert.deepEqual(
      leased.map(({ record }) => record.id),
      kept.slice(8),
    );
    const { lost, missing, records } = await spool.stats();
    assert.deepEqual(lost, [{ targetId: "a", priority: 0, reason: "missing", deliveries: 8 }]);
    assert.deepEqual([missing, records], [8, 32]);
    assert.equal((await readdir(join(folder.path, "data", "00000000"))).length, 32);
  });
});
