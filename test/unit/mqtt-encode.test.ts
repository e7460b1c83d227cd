import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { publishBytes } from "../../src/link/mqtt-packet.ts";
import { recordViolation } from "../../src/sandbox/record-contract.ts";
import { recordPayload, recordText } from "../../src/targets/mqtt/encode.ts";
import { filledTopic, topicProblem } from "../../src/targets/mqtt/topic.ts";
import { sampleJpeg, sampleRecord } from "../lib/records.ts";

interface Received {
  readonly image: string;
  readonly labels: readonly { name: string; x: number; y: number; w: number; h: number }[];
  readonly detections: readonly {
    label: string;
    score: number;
    box: { left: number; top: number; width: number; height: number };
  }[];
}

const encodings = [
  { boxOrigin: "center", minScore: 0 },
  { boxOrigin: "top-left", minScore: 0 },
] as const;

/** Also boxes that reach out of the image or lie outside it, as a careless caller may hand them over. */
const detection = fc.record({
  label: fc.string({ minLength: 1, maxLength: 12 }),
  score: fc.double({ min: 0, max: 1, noNaN: true }),
  box: fc.record({
    left: fc.double({ min: -200, max: 2_000, noNaN: true }),
    top: fc.double({ min: -200, max: 2_000, noNaN: true }),
    width: fc.double({ min: 0.1, max: 2_000, noNaN: true }),
    height: fc.double({ min: 0.1, max: 2_000, noNaN: true }),
  }),
});

const side = fc.integer({ min: 16, max: 4_096 });

describe("MQTT payload", () => {
  it("decodes back to the boxes within a pixel, never outside the image, in the order of the labels", () => {
    const jpeg = sampleJpeg();
    fc.assert(
      fc.property(
        fc.array(detection, { maxLength: 8 }),
        side,
        side,
        fc.constantFrom(...encodings),
        (all, w, h, how) => {
          const record = sampleRecord(1, jpeg, { detections: all, imageWidth: w, imageHeight: h });
          const text = recordText(record, how);
          const payload = recordPayload(text, jpeg);
          assert.equal(payload.length, text.payloadBytes);
          const received = JSON.parse(payload.toString()) as Received;
          assert.ok(jpeg.equals(Buffer.from(received.image, "base64")));
          assert.equal(received.labels.length, received.detections.length);
          const inside = all.filter(({ box }) => {
            return box.left < w && box.top < h && box.left + box.width > 0 && box.top + box.height > 0;
          });
          assert.deepEqual(
            received.detections.map(({ label, score }) => ({ label, score })),
            inside.map(({ label, score }) => ({ label, score: score + 0 })),
          );
          for (const [at, { box }] of received.detections.entries()) {
            const label = received.labels[at];
            const sent = inside[at]?.box;
            assert.ok(label !== undefined && sent !== undefined);
            assert.ok(box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0);
            assert.ok(box.left + box.width <= w + 1e-6 && box.top + box.height <= h + 1e-6);
            const shift = how.boxOrigin === "center" ? 0.5 : 0;
            const left = (label.x - label.w * shift) * w;
            const top = (label.y - label.h * shift) * h;
            for (const [got, edge] of [
              [box.left, Math.max(0, sent.left)],
              [box.top, Math.max(0, sent.top)],
              [box.left + box.width, Math.min(w, sent.left + sent.width)],
              [box.top + box.height, Math.min(h, sent.top + sent.height)],
              [left, box.left],
              [top, box.top],
              [left + label.w * w, box.left + box.width],
              [top + label.h * h, box.top + box.height],
            ] as const) {
              assert.ok(Math.abs(got - edge) <= 1, `${got} for ${edge}`);
            }
          }
        },
      ),
    );
  });

  it("names the record, its time in UTC and its size", () => {
    const jpeg = sampleJpeg();
    const record = sampleRecord(7, jpeg);
    const payload = recordPayload(recordText(record, encodings[0]), jpeg);
    const { image, labels, detections, ...rest } = JSON.parse(payload.toString()) as Record<string, unknown>;
    assert.deepEqual(rest, {
      type: "jpg",
      id: record.id,
      name: "gw-07-aaaa-7.jpg",
      device: "gw-07",
      camera: "gate",
      capturedAt: "2026-03-05T10:15:00.000Z",
      clock: "synchronised",
      width: 64,
      height: 48,
      labelled: true,
    });
    assert.ok(typeof image === "string" && Array.isArray(labels) && Array.isArray(detections));
    assert.equal(recordViolation(payload, 1), undefined);
  });

  it("leaves out what is below the threshold of the model or of the target", () => {
    const jpeg = sampleJpeg();
    const box = { left: 1, top: 1, width: 5, height: 5 };
    const detections = [0.9, 0.5, 0.2].map((score) => ({ label: "person", score, box }));
    const text = recordText(sampleRecord(1, jpeg, { detections }), { boxOrigin: "center", minScore: 0.5 });
    const received = JSON.parse(recordPayload(text, jpeg).toString()) as Received;
    assert.deepEqual(
      received.detections.map(({ score }) => score),
      [0.9, 0.5],
    );
  });
});

describe("record contract of the sandbox broker", () => {
  const jpeg = sampleJpeg();
  const good = JSON.parse(recordPayload(recordText(sampleRecord(1, jpeg), encodings[0]), jpeg).toString()) as object;
  const label = { name: "person", x: 0.5, y: 0.5, w: 0.1, h: 0.1 };

  it("takes a good record and names what is wrong with each bad one", () => {
    assert.equal(recordViolation(Buffer.from(JSON.stringify(good)), 1), undefined);
    const cut = jpeg.subarray(0, 100).toString("base64");
    for (const [wrong, change] of [
      [/not base64/, { image: "data:image/jpeg;base64,AAAA" }],
      [/complete JPEG/, { image: cut }],
      [/type/, { type: "png" }],
      [/width and height/, { width: 65 }],
      [/id is missing/, { id: "" }],
      [/capturedAt/, { capturedAt: "yesterday" }],
      [/other keys/, { labels: [{ ...label, score: 1 }] }],
      [/not a fraction/, { labels: [{ ...label, x: 32 }] }],
      [/differ in length/, { detections: [] }],
      [/differ in order/, { labels: [{ ...label, name: "car" }] }],
      [/reaches out/, { detections: [{ label: "person", box: { left: 60, top: 0, width: 9, height: 9 } }] }],
    ] as const) {
      assert.match(recordViolation(Buffer.from(JSON.stringify({ ...good, ...change })), 1) ?? "none", wrong);
    }
    assert.match(recordViolation(Buffer.from("{"), 1) ?? "none", /not JSON/);
    assert.match(recordViolation(Buffer.from(JSON.stringify(good)), 0) ?? "none", /QoS 0/);
  });
});

describe("MQTT topic", () => {
  const names = { device: "gw-07", camera: "gate", target: "lab" };

  it("fills in device, camera and target", () => {
    assert.equal(filledTopic("framepost/{device}/image/{camera}", names), "framepost/gw-07/image/gate");
    assert.equal(filledTopic("{target}/{camera}", names), "lab/gate");
  });

  it("never holds a wildcard or another level, whatever the names hold", () => {
    const text = fc.string({ unit: "binary", maxLength: 100 });
    fc.assert(
      fc.property(text, text, text, (device, camera, target) => {
        const topic = filledTopic("a/{device}/b/{camera}/{target}", { device, camera, target });
        assert.equal(topic.split("/").length, 5);
        assert.ok(topic.split("/").every((level) => level.length > 0));
        assert.doesNotMatch(topic, /[+#\0\s]/);
      }),
    );
  });

  it("refuses templates that could not be published to", () => {
    for (const bad of [
      "",
      "a/+/b",
      "a/#",
      "a/{label}",
      "a/{device",
      "a}",
      "a//b",
      "/a",
      "a/",
      "a b",
      "x".repeat(129),
    ]) {
      assert.notEqual(topicProblem(bad), undefined, bad);
    }
    for (const good of ["framepost/{device}/image/{camera}", "$aws/rules/framepost", "{target}"]) {
      assert.equal(topicProblem(good), undefined, good);
    }
  });
});

describe("MQTT packet size", () => {
  it("counts one byte more of length at each step of the variable integer", () => {
    const overhead = (payloadBytes: number) => publishBytes("t", payloadBytes, { qos: 0 }) - payloadBytes;
    // Fixed header 1, topic 3, empty properties 1.
    assert.deepEqual([123, 124, 16_379, 16_380, 2_097_147, 2_097_148].map(overhead), [6, 7, 7, 8, 8, 9]);
  });
});
