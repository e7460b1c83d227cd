import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { maskRun } from "../lib/mask-run.ts";

/** Many more: `npm run test:endurance -- masks`. */
const masks = 12;
const seed = Number(process.env["FRAMEPOST_SEED"] ?? 20_261_122);

describe("privacy masks", function () {
  this.timeout(60_000);

  it("let nothing under them reach any place where pictures lie or go", async () => {
    const { searched, leaked, marked, unversioned, planted } = await maskRun({ seed, masks, snapshots: 3 });
    assert.deepEqual([leaked, marked, unversioned], [0, 0, 0]);
    const places = ["MQTT", "data set", "page", "shown (Home Assistant)", "snapshot reply", "spool", "thumbnail"];
    assert.deepEqual([...searched.keys()].sort(), places);
    for (const [place, pictures] of searched) assert.ok(pictures >= 3, `${pictures} pictures of ${place}`);
    // Else the search would find nothing, whatever there is.
    assert.ok(planted > masks * 1_000, `${planted} pixels to be found`);
  });
});
