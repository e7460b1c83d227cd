import { createHash } from "node:crypto";
import type { Delivery } from "../../src/core/ports.ts";
import type { Detection, RecordDraft, StoredRecord } from "../../src/core/types.ts";

/** A draft with one person in it, changed as a test needs. */
export function sampleDraft(changes: Partial<RecordDraft> = {}): RecordDraft {
  return {
    cameraId: "gate",
    capturedAtMs: Date.UTC(2026, 2, 5, 10, 15),
    monotonicMs: 60_000,
    bootId: "5d2f6c1e-0000-4000-8000-000000000001",
    clockQuality: "synchronised",
    imageWidth: 64,
    imageHeight: 48,
    labelled: true,
    detections: [sampleDetection()],
    reason: { rule: "label:person", priority: 0 },
    agentVersion: "0.0.0",
    ...changes,
  };
}

/** Far from the centre and not square, so that swapped or shifted coordinates cannot go unseen. */
export function sampleDetection(changes: Partial<Detection> = {}): Detection {
  return { label: "person", score: 0.9, box: { left: 4, top: 2, width: 20, height: 9 }, ...changes };
}

export function sampleRecord(sequence: number, jpeg: Buffer, changes: Partial<RecordDraft> = {}): StoredRecord {
  return {
    ...sampleDraft(changes),
    id: `01K00000000000000000${String(sequence).padStart(6, "0")}`,
    name: `gw-07-aaaa-${sequence}.jpg`,
    device: "gw-07",
    sequence,
    imageBytes: jpeg.length,
    imageSha256: createHash("sha256").update(jpeg).digest("hex"),
  };
}

export function sampleDelivery(sequence: number, jpeg: Buffer, changes: Partial<RecordDraft> = {}): Delivery {
  return { record: sampleRecord(sequence, jpeg, changes), attempts: 0, image: () => Promise.resolve(jpeg) };
}

/** A complete JPEG by its markers, `sizeBytes` long (64 at least), different for every seed. Not meant to be decoded. */
export function sampleJpeg(seed = 1, sizeBytes = 512): Buffer {
  const frameHeader = Buffer.from([0xff, 0xc0, 0, 11, 8, 0, 48, 0, 64, 1, 1, 0x11, 0]);
  const scanHeader = Buffer.from([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
  const head = Buffer.concat([Buffer.from([0xff, 0xd8]), frameHeader, scanHeader]);
  const body = Buffer.alloc(Math.max(4, sizeBytes - head.length - 2));
  let state = seed >>> 0;
  for (let at = 0; at < body.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const byte = state >>> 24;
    body[at] = byte === 0xff ? 0xfe : byte;
  }
  return Buffer.concat([head, body, Buffer.from([0xff, 0xd9])]);
}
