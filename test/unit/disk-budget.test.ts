import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { configSchema } from "../../agent/config-schema.ts";
import { budgetWarnings, diskBudgetOf, shareOf } from "../../agent/disks.ts";
import { DiskBudget } from "../../src/core/disk-budget.ts";

function configOf(path: string, maxBytes: string) {
  const target = { id: "set", kind: "folder", path, maxBytes } as const;
  return configSchema.parse({
    cameras: [{ id: "scene", driver: "simulated" }],
    spool: { maxBytes: "1GB" },
    targets: [target, { ...target, id: "other", maxBytes: "100MB" }],
  });
}

describe("disk budget", () => {
  it("leaves records what others do not use, but never less than their quarter", () => {
    const budget = new DiskBudget(1_000);
    const [set, index] = [budget.share("set"), budget.share("index")];
    assert.equal(budget.recordsBytesMax(), 1_000);
    set.uses(400);
    index.uses(100);
    set.uses(500);
    assert.equal(budget.recordsBytesMax(), 400);
    assert.deepEqual([set.mayGrow(150), set.mayGrow(151)], [true, false]);
    index.uses(9_000);
    assert.equal(budget.recordsBytesMax(), 250);
    assert.equal(set.mayGrow(0), false);
  });

  it("bounds nothing where there is no bound", () => {
    const budget = new DiskBudget(Infinity);
    const share = budget.share("set");
    share.uses(1e15);
    assert.equal(budget.recordsBytesMax(), Infinity);
    assert.equal(share.mayGrow(1e15), true);
  });

  it("counts data sets on the disk of the data folder, and warns of those that can never grow as large as they may", async () => {
    const data = join(tmpdir(), "framepost-none", "data");
    const beside = join(tmpdir(), "framepost-none", "set");
    assert.deepEqual(await budgetWarnings(configOf(beside, "600MB"), data), []);
    const [warning] = await budgetWarnings(configOf(beside, "700MB"), data);
    assert.match(warning ?? "", /^set, other: maxBytes allows 800 MB, .* leaves data sets on its disk 768 MB/);
    assert.deepEqual(await budgetWarnings(configOf("/proc/set", "700MB"), data), []);
    const budget = await diskBudgetOf(configOf(beside, "1MB"), data);
    const [set] = configOf(beside, "1MB").targets;
    assert.ok(set?.kind === "folder");
    assert.ok((await shareOf(budget, set, data)) !== undefined);
    assert.equal(await shareOf(budget, { ...set, path: "/proc/set" }, data), undefined);
  });
});
