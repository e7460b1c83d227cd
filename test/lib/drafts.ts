import type { RecordDraft } from "../../src/core/types.ts";
import { seededRandom } from "./seams.ts";

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
  const random = seededRandom(seed);
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  bytes.writeUInt16BE(0xffd8, 0);
  bytes.writeUInt16BE(0xffd9, sizeBytes - 2);
  return bytes;
}
