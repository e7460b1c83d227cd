import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Box, RecordDraft } from "../../src/core/types.ts";
import { multipartBody } from "../../src/sandbox/multipart.ts";
import { iotownFormBody, iotownJsonBody } from "../../src/targets/iotown/data-body.ts";
import { iotownFrameData, iotownFrameFiles } from "../../src/targets/iotown/encode-data.ts";
import { type BoxOrigin, iotownImageBody, iotownLabels, type IotownLabel } from "../../src/targets/iotown/encode.ts";
import { sampleDetection, sampleDraft, sampleJpeg, sampleRecord } from "../lib/records.ts";
import { seededRandom } from "../lib/seams.ts";

const sizes = [
  [64, 48],
  [480, 640],
  [1280, 720],
  [4056, 3040],
  [16_384, 3],
] as const;

/** As the vendor's downloader turns a label back: by hand, and not with our own arithmetic. */
function decoded(label: IotownLabel, origin: BoxOrigin, width: number, height: number): Box {
  const [left, top] = origin === "center" ? [label.x - label.w / 2, label.y - label.h / 2] : [label.x, label.y];
  return { left: left * width, top: top * height, width: label.w * width, height: label.h * height };
}

function randomBox(random: () => number, imageWidth: number, imageHeight: number): Box {
  const kind = random();
  // Whole side, touching a border, less than a pixel, or anywhere.
  const side = (length: number): readonly [number, number] => {
    if (kind < 0.1) return [0, length];
    const size = kind < 0.3 ? 0.2 + random() : Math.max(0.2, random() * length);
    const start = kind < 0.5 ? (random() < 0.5 ? 0 : length - size) : random() * (length - size);
    return [Math.max(0, start), Math.min(size, length)];
  };
  const [[left, width], [top, height]] = [side(imageWidth), side(imageHeight)];
  return { left, top, width, height };
}

describe("IoT.own labels", () => {
  for (const origin of ["center", "top-left"] as const) {
    it(`come back within a pixel and never outside the image, 10,000 boxes by their ${origin}`, () => {
      const random = seededRandom(17);
      for (let at = 0; at < 10_000; at += 1) {
        const [imageWidth, imageHeight] = sizes[at % sizes.length] ?? sizes[0];
        const box = randomBox(random, imageWidth, imageHeight);
        const draft = sampleDraft({ imageWidth, imageHeight, detections: [sampleDetection({ box })] });
        const [label, ...others] = iotownLabels(draft, { boxOrigin: origin, minScore: 0 });
        assert.ok(label !== undefined && others.length === 0, JSON.stringify(box));
        const back = decoded(label, origin, imageWidth, imageHeight);
        const told = JSON.stringify({ box, label, imageWidth, imageHeight });
        assert.ok(Math.abs(back.left - box.left) < 1 && Math.abs(back.top - box.top) < 1, told);
        const [right, bottom] = [back.left + back.width, back.top + back.height];
        assert.ok(Math.abs(right - box.left - box.width) < 1 && Math.abs(bottom - box.top - box.height) < 1, told);
        assert.ok(back.left > -1e-9 && back.top > -1e-9, told);
        assert.ok(right < imageWidth + 1e-9 && bottom < imageHeight + 1e-9, told);
        assert.ok(label.w > 0 && label.h > 0, told);
        assert.doesNotMatch(JSON.stringify(label), /\.\d{7}|e-/, "at most six decimals");
      }
    });
  }

  it("keep something of a box that is smaller than six decimals can say", () => {
    const box = { left: 63.999_99, top: 10, width: 0.000_01, height: 20 };
    const draft = sampleDraft({ detections: [sampleDetection({ box }), sampleDetection()] });
    const [tiny, other] = iotownLabels(draft, { boxOrigin: "center", minScore: 0 });
    assert.deepEqual([tiny?.x, tiny?.w, other?.w], [0.999999, 0.000001, 0.3125]);
  });
});

describe("IoT.own bodies", () => {
  const jpeg = sampleJpeg(5, 100_000);
  const name = 'zebra "crossing" – 横断歩道';
  const encoding = { nid: 'WF"1', boxOrigin: "center", minScore: 0, details: true } as const;
  const changes: Partial<RecordDraft> = { detections: [sampleDetection({ label: name, score: 0.123_456_789 })] };
  const record = sampleRecord(1, jpeg, changes);
  const detected = [{ name, x: 0.21875, y: 0.135417, w: 0.3125, h: 0.1875, score: 0.123457 }];

  it("hold what JSON.stringify would write of the same object", () => {
    const labels = iotownLabels(record, encoding);
    assert.deepEqual(JSON.parse(iotownImageBody(jpeg, labels).toString()), {
      image: jpeg.toString("base64"),
      type: "jpg",
      labels,
    });
    const body = iotownJsonBody(iotownFrameData(record, jpeg, encoding));
    const details = { name: record.name, camera: "gate", captured_at: "2026-03-05T10:15:00.000Z", detected };
    assert.deepEqual(JSON.parse(body.toString()), {
      type: "2",
      nid: encoding.nid,
      data: { snap: jpeg.toString("base64"), ...details },
    });
    const plain = iotownJsonBody(iotownFrameData(record, jpeg, { ...encoding, details: false }));
    assert.deepEqual(JSON.parse(plain.toString()), {
      type: "2",
      nid: encoding.nid,
      data: { snap: jpeg.toString("base64") },
    });
    const values = { t: 20, list: [1] };
    assert.deepEqual(JSON.parse(iotownJsonBody({ nid: "n", data: values }).toString()), {
      type: "2",
      nid: "n",
      data: values,
    });
  });

  it("have the texts of a form before its files, and the picture under the record's name", () => {
    const { contentType, body } = iotownFormBody(iotownFrameFiles(record, jpeg, encoding));
    const [type, nid, meta, file, ...others] = multipartBody(contentType, Buffer.concat(body));
    assert.deepEqual([type?.name, type?.body.toString(), nid?.body.toString()], ["type", "2", encoding.nid]);
    const details = { name: record.name, camera: "gate", captured_at: "2026-03-05T10:15:00.000Z", detected };
    assert.deepEqual(JSON.parse(meta?.body.toString() ?? ""), { snap: { type: "image", file: "snap0", ...details } });
    assert.deepEqual([file?.name, file?.fileName, file?.contentType], ["snap0", record.name, undefined]);
    assert.ok(file?.body.equals(jpeg));
    assert.deepEqual(others, []);
  });

  it("say nothing of the time while the gateway's clock was not set", () => {
    const early = sampleRecord(1, jpeg, { capturedAtMs: 60_000 });
    assert.ok(!("captured_at" in iotownFrameData(early, jpeg, encoding).data));
  });

  it("are not made of nothing, nor of files that meta does not name", () => {
    const file = { part: "a", fileName: "a", bytes: Buffer.alloc(1) };
    const meta = { snap: { type: "image", file: "a" } };
    assert.throws(() => iotownJsonBody({ nid: "n", data: {} }), { code: "ENCODE_FAILED" });
    for (const form of [
      { nid: "n", meta, files: [] },
      { nid: "n", meta, files: [file, file] },
      { nid: "n", meta, files: [file, { ...file, part: "b" }] },
      { nid: "n", meta: {}, files: [] },
    ]) {
      assert.throws(() => iotownFormBody(form), { code: "ENCODE_FAILED" });
    }
  });
});
