import type { RecordDraft } from "../../src/core/types.ts";

/** A record draft with one detection; `change` replaces what a test cares about. */
export function draftOf(change: Partial<RecordDraft> = {}): RecordDraft {
  return {
    cameraId: "gate",
    capturedAtMs: Date.UTC(2026, 0, 1),
    monotonicMs: 1_000,
    bootId: "0b5c2f0e-0000-4000-8000-000000000000",
    clockQuality: "synchronised",
    imageWidth: 1280,
    imageHeight: 720,
    labelled: true,
    detections: [{ label: "person", score: 0.75, box: { left: 10.5, top: 20.25, width: 100, height: 200 } }],
    reason: { rule: "label:person", priority: 0 },
    agentVersion: "0.0.0",
    ...change,
  };
}

/** `sizeBytes` bytes that start and end as a JPEG; the rest depends on the seed, so that no two are alike. */
export function imageOf(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  bytes.set(new Uint8Array(seededWords(seed, sizeBytes >> 2).buffer));
  bytes.writeUInt16BE(0xffd8, 0);
  bytes.writeUInt16BE(0xffd9, sizeBytes - 2);
  return bytes;
}

/** What `seededRandom` gives, as whole numbers and ten times as fast: some tests make hundreds of megabytes. */
function seededWords(seed: number, count: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(count);
  let state = seed | 0;
  for (let at = 0; at < count; at += 1) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    words[at] = mixed ^ (mixed >>> 14);
  }
  return words;
}
