import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { storm } from "../lib/storm.ts";

/** These wait for a deadline, or for a person: the long form (npm run test:endurance -- platforms) has them too. */
const slow = [
  ...["hang", "hang-after-store", "drip", "unauthorized-401", "forbidden-403", "not-found-404"],
  ...["gateway-401", "status-code-401", "gateway-404", "quota-400"],
];

describe("a daemon whose platforms break a part of their answers", function () {
  this.timeout(60_000);

  it("loses no record although it is killed, and sends none twice without a reason", async () => {
    // Hurried more, a call's deadline would be one that a busy machine misses, and send again what nothing here explains.
    const plan = { records: 40, imageBytes: 20_000, brokenShare: 0.1, kills: 1, hurry: 25, seed: 7, limitMs: 30_000 };
    const { platforms, findings } = await storm({ ...plan, kinds: ["iotown", "customvision"], without: slow });
    assert.deepEqual(findings, []);
    for (const { kind, there, missing, violations, copies, copiesMax, refused } of platforms) {
      assert.deepEqual({ kind, there, missing, violations }, { kind, there: plan.records, missing: 0, violations: [] });
      assert.ok(copies <= copiesMax, `${kind}: ${copies} copies too many, ${copiesMax} can be explained`);
      for (const code of refused.keys()) assert.match(code, /^(HTTP_4(00|13)|IMAGE_TOO_LARGE)$/);
    }
  });
});
