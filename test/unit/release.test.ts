import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { minisignKeyOf } from "../../src/models/minisign.ts";
import { judgeRelease, readRelease, type ReleaseBooks } from "../../src/models/release.ts";
import { TestSigner } from "../lib/minisign.ts";
import { type ReleaseDraft, releaseText } from "../lib/releases.ts";

const signer = new TestSigner(1);
const options = { key: minisignKeyOf(signer.publicKey), address: "https://example.org/models/release.json?token=t" };
const files = { "model.onnx": Buffer.from("m"), "golden.jpg": Buffer.from("p"), "golden.json": Buffer.from("g") };

function read(draft: Partial<ReleaseDraft>) {
  const file = Buffer.from(releaseText({ files, ...draft }));
  return readRelease(file, signer.sign(file), options);
}

describe("a release", () => {
  it("names its files by absolute addresses", () => {
    const further = { "golden.jpg": { url: "https://cdn.example.net/p.jpg" }, "golden.json": { url: "/g.json" } };
    const release = read({ claims: further, maxRunMs: 40 });
    assert.deepEqual(
      release.files.map(({ url }) => url),
      ["https://example.org/models/wasps/1/model.onnx", "https://cdn.example.net/p.jpg", "https://example.org/g.json"],
    );
    assert.deepEqual([release.name, release.version, release.sequence, release.runMsMax], ["wasps", "1", 1, 40]);
    assert.equal(release.expiresAtMs, Date.UTC(2099, 0, 1));
  });

  it("is asked for, with its relative files, by the user of its own address, and by nobody elsewhere", () => {
    const file = Buffer.from(
      releaseText({ files, claims: { "golden.jpg": { url: "https://cdn.example.net/p.jpg" } } }),
    );
    const address = "https://gate:secret@example.org/models/release.json";
    const release = readRelease(file, signer.sign(file), { ...options, address });
    assert.deepEqual(
      release.files.map(({ url }) => url),
      [
        "https://gate:secret@example.org/models/wasps/1/model.onnx",
        "https://cdn.example.net/p.jpg",
        "https://gate:secret@example.org/models/wasps/1/golden.json",
      ],
    );
  });

  it("has the same content whatever its number and addresses, and another with another byte", () => {
    const { contentId } = read({});
    assert.equal(read({ sequence: 9, version: "9" }).contentId, contentId);
    assert.notEqual(read({ files: { ...files, "golden.jpg": Buffer.from("q") } }).contentId, contentId);
  });

  it("is refused for anything that is not in its schema", () => {
    const drafts: readonly Partial<ReleaseDraft>[] = [
      { sequence: 0 },
      { sequence: 1.5 },
      { expires: "tomorrow" },
      { expires: "2026-01-01" },
      { version: "a/b" },
      { version: ".hidden" },
      { name: "previous" },
      { further: { format: 2 } },
      { further: { files: [] } },
      { further: { more: 1 } },
      { claims: { "model.onnx": { path: "model.sh" } } },
      { claims: { "golden.json": { path: "golden.jpg" } } },
      { claims: { "golden.jpg": { bytes: 1e9 } } },
      { claims: { "golden.jpg": { bytes: 0 } } },
      { claims: { "golden.jpg": { sha256: "A".repeat(64) } } },
      { claims: { "golden.jpg": { url: "http://example.org/p.jpg" } } },
      { claims: { "golden.jpg": { url: "//user:secret@example.net/p.jpg" } } },
      { claims: { "golden.jpg": { url: "file:///etc/passwd" } } },
      { claims: { "golden.jpg": { url: "https://" } } },
    ];
    for (const draft of drafts) assert.throws(() => read(draft), { code: "RELEASE_SCHEMA" }, JSON.stringify(draft));
    for (const text of ["", "[]", "null", "{", "x".repeat(9_999)]) {
      const file = Buffer.from(text);
      assert.throws(() => readRelease(file, signer.sign(file), options), { code: "RELEASE_SCHEMA" }, text.slice(0, 9));
    }
  });

  it("is not parsed before its size and its signature are right", () => {
    const large = Buffer.alloc(300_000, "x");
    assert.throws(() => readRelease(large, signer.sign(large), options), { code: "RELEASE_TOO_LARGE" });
    const broken = Buffer.from("{");
    assert.throws(() => readRelease(broken, signer.sign(Buffer.from("{}")), options), { code: "RELEASE_SIGNATURE" });
  });

  it("is judged by its number before its content, and by its content before its time", () => {
    const release = read({ sequence: 5, expires: "2026-06-01T00:00:00Z" });
    const { contentId } = release;
    const june = Date.UTC(2026, 5, 2);
    const books = (more: Partial<ReleaseBooks>): ReleaseBooks => ({
      ...{ refused: [], nowMs: Date.UTC(2026, 0, 1), clockQuality: "unknown", clockSeenMs: 0 },
      ...more,
    });
    const last = (sequence: number, isSettled = true, content = contentId) => ({
      last: { sequence, contentId: content, isSettled },
    });
    const refused = [{ contentId, why: "dead" }];
    assert.deepEqual(judgeRelease(release, books({})), { kind: "new" });
    assert.deepEqual(judgeRelease(release, books(last(4))), { kind: "new" });
    assert.deepEqual(judgeRelease(release, books(last(5, false))), { kind: "new" });
    assert.deepEqual(judgeRelease(release, books({ ...last(5), nowMs: june })), { kind: "nothing-new" });
    assert.deepEqual(judgeRelease(release, books({ refused, nowMs: june })), { kind: "refused-before", why: "dead" });
    assert.throws(() => judgeRelease(release, books({ ...last(6), refused })), { code: "RELEASE_REPLAYED" });
    assert.throws(() => judgeRelease(release, books(last(5, true, "other"))), { code: "RELEASE_REPLAYED" });
    assert.throws(() => judgeRelease(release, books({ nowMs: june })), { code: "RELEASE_EXPIRED" });
    assert.throws(() => judgeRelease(release, books({ ...last(5, false), nowMs: june })), { code: "RELEASE_EXPIRED" });
    assert.deepEqual(judgeRelease(release, books({ nowMs: 0 })), { kind: "clock-unknown" });
    assert.deepEqual(judgeRelease(release, books({ clockSeenMs: june })), { kind: "clock-unknown" });
    const synchronised = books({ clockSeenMs: june, clockQuality: "synchronised" });
    assert.deepEqual(judgeRelease(release, synchronised), { kind: "new" });
  });
});
