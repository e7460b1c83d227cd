import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { stateLimits } from "../../src/core/limits.ts";
import { layernextLimits } from "../../src/core/platform-limits.ts";
import { isId } from "../../src/targets/layernext/answers.ts";
import { layernextConfig } from "../../src/targets/layernext/config.ts";
import { Journal, type OpenBatch } from "../../src/targets/layernext/journal.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";

const { idBytesMax, batchRecordsMax } = layernextLimits;
const clock = new SimulatedClock();
const place = "https://lake.example dock-3";

/** The largest that everything lets through, of a text that takes as many bytes as it can. */
function worstBatch(character: string): OpenBatch {
  let id = character;
  while (isId(id + character)) id += character;
  const access = { id: "lake", kind: "layernext", url: "https://lake.example", apiKey: "k", secret: "s3cret-canary" };
  const { collection } = layernextConfig.parse({ ...access, collection: "倉".repeat(33) });
  const size = [65_535, 65_535] as const;
  const step = { step: "sent", fileId: id, fileKey: id, etag: id, size } as const;
  const names = Array.from({ length: batchRecordsMax }, (_, at) => `${"n".repeat(100)}${at}.jpg`);
  const upload = { uploadId: id, collection, storageType: "azure_blob", jobId: id, collectionId: id } as const;
  return { upload, files: new Map(names.map((name) => [name, step])), completed: false };
}

describe("LayerNext journal", () => {
  for (const [kind, character] of [
    ["letters", "i"],
    ["quotes", '"'],
    ["control characters", "\u0001"],
    ["ideographs", "倉"],
  ] as const) {
    it(`fits the target's memory with the longest ids of ${kind}, and is read back whole`, async () => {
      const memory = new MemoryForTarget();
      const batch = worstBatch(character);
      await new Journal(memory, place, clock).write(batch);
      const sizeBytes = Buffer.byteLength(JSON.stringify(memory.value));
      assert.ok(sizeBytes <= stateLimits.targetBytesMax, `${sizeBytes} bytes`);
      assert.ok(sizeBytes > (batchRecordsMax * 3 * idBytesMax) / 2, "it is no worst case");
      assert.deepEqual(await new Journal(memory, place, clock).batch(), batch);
    });
  }

  it("writes a step down when the last write was a while ago, and otherwise when it is told to", async () => {
    const [memory, time] = [new MemoryForTarget(), new SimulatedClock()];
    const journal = new Journal(memory, place, time);
    const kept = async () => (await new Journal(memory, place, time).batch())?.completed;
    const batch = worstBatch("i");
    await journal.write(batch);
    await journal.note({ ...batch, completed: true });
    assert.deepEqual([(await journal.batch())?.completed, await kept()], [true, false]);
    await journal.keep();
    assert.equal(await kept(), true);
    time.advance(layernextLimits.journalEveryMs);
    await journal.note(batch);
    assert.equal(await kept(), false);
  });

  it("belongs to one server and collection", async () => {
    const memory = new MemoryForTarget();
    await new Journal(memory, place, clock).write(worstBatch("i"));
    assert.equal(await new Journal(memory, "https://lake.example gate", clock).batch(), undefined);
  });
});
