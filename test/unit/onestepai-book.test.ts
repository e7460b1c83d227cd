import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { OnestepaiBook } from "../../src/targets/onestepai/book.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";

const url = "https://osai.example/api";
const upload = { datasetId: "514", uploadId: "u".repeat(128), startedAt: "2026-01-01T00:00:00.000Z" };

describe("OneStepAI book", () => {
  it("keeps the categories of two datasets apart", async () => {
    const memory = new MemoryForTarget();
    const book = new OnestepaiBook(memory, url);
    await book.setCategory("1", "gate", "11");
    await book.setCategory("2", "gate", "22");
    const again = new OnestepaiBook(memory, url);
    assert.deepEqual([await again.categoryId("1", "gate"), await again.categoryId("2", "gate")], ["11", "22"]);
    assert.equal(await again.categoryId("3", "gate"), undefined);
  });

  it("forgets the oldest categories before a target's memory would be too large, and never the upload", async () => {
    const memory = new MemoryForTarget();
    const book = new OnestepaiBook(memory, url);
    await book.setUpload(upload);
    for (let at = 0; at < 200; at += 1) await book.setCategory("514", `${"\u6a2a".repeat(60)}${at}`, String(at));
    assert.ok(Buffer.byteLength(JSON.stringify(memory.value)) < 16 * 1024);
    const again = new OnestepaiBook(memory, url);
    assert.deepEqual(await again.upload(), upload);
    assert.equal(await again.categoryId("514", `${"\u6a2a".repeat(60)}199`), "199");
    assert.equal(await again.categoryId("514", `${"\u6a2a".repeat(60)}0`), undefined);
  });
});
