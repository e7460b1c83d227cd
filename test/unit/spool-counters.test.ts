import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "mocha";
import { spoolLimits } from "../../src/core/spool-limits.ts";
import { Inspection } from "../../src/spool/index/inspection.ts";
import { IndexMarks } from "../../src/spool/index/marks.ts";
import { openIndex } from "../../src/spool/index/schema.ts";
import { Statements } from "../../src/spool/index/statements.ts";
import { IndexStore } from "../../src/spool/index/store.ts";
import { layoutOf } from "../../src/spool/layout.ts";
import { tempFolder } from "../lib/temp.ts";

describe("the check of the spool's counters", () => {
  it("counts every delivery once, also where there are more than it takes at a time", async () => {
    await using folder = await tempFolder();
    const { sql: connection } = openIndex(join(folder.path, "index.db"));
    const records = spoolLimits.countRowsMax + 1;
    connection.exec(`
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${records})
        INSERT INTO item SELECT n, 'id', 0, 0, 1, 10, 0, 0 FROM numbers;
      INSERT INTO dlv SELECT seq, 'a', seq % 4, 0, 0, 0, NULL, NULL, NULL FROM item;
      INSERT INTO dlv SELECT seq, 'b', 0, 0, 0, 0, NULL, NULL, NULL FROM item;`);
    const sql = new Statements(connection);
    const store = new IndexStore(sql);
    const { wrong } = new Inspection({
      sql,
      store,
      marks: new IndexMarks(sql),
      layout: layoutOf(folder.path),
    }).totals();
    const states = Array.from({ length: records }, (_, at) => (at + 1) % 4);
    const pending = states.filter((state) => state < 2).length;
    const counted = new Map(wrong.map((counter) => [counter.name, counter.counted]));
    assert.equal(counted.get("pending:a"), pending);
    assert.equal(counted.get("owed-bytes:a"), pending * 10);
    assert.equal(counted.get("quarantined:a"), states.filter((state) => state === 2).length);
    assert.equal(counted.get("pending:b"), records);
  });
});
