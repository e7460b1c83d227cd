import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { textIn } from "../../src/spool/index/database.ts";
import { backlogQueries, Backlogs } from "../../src/spool/index/backlogs.ts";
import { Losses } from "../../src/spool/index/losses.ts";
import { Quarantined, quarantineQueries } from "../../src/spool/index/quarantined.ts";
import { openIndex } from "../../src/spool/index/schema.ts";
import { Statements } from "../../src/spool/index/statements.ts";
import { IndexStore } from "../../src/spool/index/store.ts";
import { Haul, victimQueries, Victims } from "../../src/spool/index/victims.ts";
import { tempFolder } from "../lib/temp.ts";

const records = 100_000;

describe("what an eviction reads", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let sql: Statements;
  let store: IndexStore;

  beforeEach(async () => {
    folder = await tempFolder();
    sql = new Statements(openIndex(join(folder.path, "index.db")).sql);
    store = new IndexStore(sql);
  });

  afterEach(async () => await folder[Symbol.asyncDispose]());

  /** Every tenth record has priority 5; each is owed to a and b. */
  function fill(count: number): void {
    sql.transaction("fill", () => {
      const numbers = "WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?)";
      sql.run(
        `${numbers} INSERT INTO item (seq, id, priority, created_ms, image_bytes, bytes)
           SELECT seq, 'id' || seq, iif(seq % 10 = 0, 5, 0), 0, 100, 120 FROM n`,
        count,
      );
      sql.run(
        `INSERT INTO dlv (seq, target, state, priority, attempts, due_at)
           SELECT seq, column1, 0, priority, 0, 0 FROM item, (VALUES ('a'), ('b'))`,
      );
      sql.count(["records", count], ["bytes", 120 * count], ["pending:a", count], ["owed-bytes:a", 120 * count]);
    });
  }

  it("goes along an index in every query, and sorts nothing", () => {
    const expected: Readonly<Record<string, RegExp>> = {
      ...{ nextClass: /item_eviction/, nextOfClass: /item_eviction/, lastOfClass: /item_eviction/ },
      ...{ nextOfAll: /INTEGER PRIMARY KEY/, nextAdded: /INTEGER PRIMARY KEY/ },
      ...{ nextTarget: /dlv_quarantined/, nextOfTarget: /dlv_quarantined/, quarantinedOfAll: /dlv_quarantined/ },
      ...{ nextReadyClass: /dlv_ready/, readyOfClass: /dlv_ready/, deferred: /dlv_deferred/ },
    };
    const { nextOfAll, ...ofTargets } = quarantineQueries;
    const { nextClass, ...ofBacklogs } = backlogQueries;
    const queries = {
      ...victimQueries,
      ...{ ...ofTargets, quarantinedOfAll: nextOfAll, ...ofBacklogs, nextReadyClass: nextClass },
    };
    assert.deepEqual(Object.keys(queries).sort(), Object.keys(expected).sort());
    for (const [name, query] of Object.entries(queries)) {
      const parameters = [...query.matchAll(/\?/g)].map(() => 1);
      const plan = sql.all(`EXPLAIN QUERY PLAN ${query}`, ...parameters).map((row) => textIn(row, "detail") ?? "");
      assert.match(plan[0] ?? "", expected[name] ?? /never/, name);
      assert.ok(
        plan.every((step) => !/TEMP B-TREE|^SCAN (i|d|h|o)\b/.test(step)),
        `${name}: ${plan.join("; ")}`,
      );
    }
  });

  it("takes a bounded time out of 100,000 records, whatever the policy", function () {
    this.timeout(30_000);
    fill(records);
    const victims = new Victims(sql);
    const leased = new Set(Array.from({ length: 200 }, (_, at) => at + 1));
    for (const policy of ["oldest", "thin"] as const) {
      const haul = new Haul({ records: 64, bytes: 0 }, leased);
      const before = process.cpuUsage();
      victims.byPriority(haul, policy, 0);
      const tookMs = cpuMsSince(before);
      assert.equal(haul.victims().length, 64);
      assert.ok(tookMs < 100, `${policy}: ${tookMs} ms`);
      const sequences = haul.victims().map(({ sequence }) => sequence);
      assert.ok(sequences.every((sequence) => !leased.has(sequence) && sequence % 10 !== 0));
      if (policy === "thin") {
        const sorted = sequences.sort((one, other) => one - other);
        const gaps = sorted.slice(1).map((sequence, at) => sequence - (sorted[at] ?? 0));
        assert.ok(Math.max(...gaps) < (3 * records) / 64, `${Math.max(...gaps)} between two of them`);
      }
    }
    const before = process.cpuUsage();
    const backlogs = new Backlogs(sql, store, new Losses(sql));
    const limit = { targetId: "a", pending: records - 64, bytes: Infinity, slack: { pending: 0, bytes: 0 } };
    const { lost, finished } = backlogs.trim(limit, { priorityMax: 9, spared: leased });
    assert.deepEqual([lost, finished], [[{ targetId: "a", priority: 0, reason: "cap", deliveries: 64 }], 0]);
    assert.ok(cpuMsSince(before) < 200);
    assert.equal(victims.lastAddedBy(0), records);
    assert.equal(victims.lastAddedBy(-1), undefined);
  });

  it("finds what quarantine alone holds step by step, however much is still owed before it", () => {
    fill(5_000);
    for (let sequence = 1; sequence <= 5_000; sequence += 1) store.quarantine(sequence, "a", "no", 0);
    for (let sequence = 4_000; sequence <= 4_010; sequence += 1) store.quarantine(sequence, "b", "no", 0);
    const quarantined = new Quarantined(sql);
    const found: number[] = [];
    for (let step = 0; step < 6; step += 1) {
      const haul = new Haul({ records: 64, bytes: 0 }, new Set());
      quarantined.takeInto(haul, Infinity);
      found.push(...haul.victims().map(({ sequence }) => sequence));
      if (found.length > 0) break;
    }
    assert.deepEqual(
      found,
      Array.from({ length: 11 }, (_, at) => 4_000 + at),
    );
  });
});

/** What a busy machine gives to others in between does not count. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
