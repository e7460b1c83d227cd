import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { InputTensor, type TensorLayout } from "../../src/vision/process/fill.ts";
import { boxInPicture, placePicture } from "../../src/vision/process/letterbox.ts";
import { seededRandom } from "../lib/seams.ts";

const plain: TensorLayout = {
  width: 8,
  height: 6,
  layout: "nchw",
  order: "rgb",
  mean: [0, 0, 0],
  std: [255, 255, 255],
  pad: 114,
};

function noise(bytes: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256));
}

describe("letterbox", () => {
  it("centres a picture and keeps its shape", () => {
    const at = placePicture(1280, 720, 640, 640, "letterbox");
    assert.deepEqual(at, { width: 640, height: 360, left: 0, top: 140, scaleX: 0.5, scaleY: 0.5 });
  });

  it("puts a picture into the corner or stretches it", () => {
    assert.equal(placePicture(720, 1280, 640, 640, "topleft").left, 0);
    const at = placePicture(1000, 500, 320, 240, "stretch");
    assert.deepEqual([at.width, at.height, at.scaleX, at.scaleY], [320, 240, 0.32, 0.48]);
  });

  it("maps every box back to where it came from", () => {
    const random = seededRandom(3);
    for (const fit of ["letterbox", "topleft", "stretch"] as const) {
      for (let round = 0; round < 100; round += 1) {
        const width = 1 + Math.floor(random() * 4000);
        const height = 1 + Math.floor(random() * 4000);
        const at = placePicture(width, height, 640, 384, fit);
        assert.ok(at.width >= 1 && at.left >= 0 && at.left + at.width <= 640);
        assert.ok(at.height >= 1 && at.top >= 0 && at.top + at.height <= 384);
        const edge = (picture: number, scale: number, start: number) => picture * scale + start;
        const box = boxInPicture(
          edge(10, at.scaleX, at.left),
          edge(20, at.scaleY, at.top),
          edge(110, at.scaleX, at.left),
          edge(70, at.scaleY, at.top),
          at,
        );
        for (const [got, want] of [
          [box.left, 10],
          [box.top, 20],
          [box.width, 100],
          [box.height, 50],
        ] as const) {
          assert.ok(Math.abs(got - want) < 1e-6, `${fit} ${width}x${height}: ${got} for ${want}`);
        }
      }
    }
  });
});

describe("input tensor", () => {
  it("holds channel after channel, normalised, with padding around", () => {
    const at = placePicture(8, 2, 8, 6, "letterbox");
    const rgb = noise(8 * 2 * 3, 1);
    const tensor = new InputTensor(plain);
    tensor.fill(rgb, at);
    for (let channel = 0; channel < 3; channel += 1) {
      for (let y = 0; y < 6; y += 1) {
        for (let x = 0; x < 8; x += 1) {
          const inside = y >= 2 && y < 4;
          const level = inside ? (rgb[((y - 2) * 8 + x) * 3 + channel] ?? 0) : 114;
          assert.equal(tensor.data[channel * 48 + y * 8 + x], Math.fround(level / 255));
        }
      }
    }
  });

  it("takes blue first and each channel's own mean and std where the model wants it", () => {
    const tensor = new InputTensor({ ...plain, order: "bgr", mean: [10, 20, 30], std: [2, 4, 8] });
    const rgb = new Uint8Array(8 * 6 * 3).fill(0);
    rgb.set([100, 60, 46]);
    tensor.fill(rgb, placePicture(8, 6, 8, 6, "stretch"));
    assert.deepEqual([tensor.data[0], tensor.data[48], tensor.data[96]], [18, 10, 8.75]);
  });

  it("holds bytes as they are for a model that takes bytes", () => {
    const rgb = noise(8 * 6 * 3, 2);
    const tensor = new InputTensor({ ...plain, layout: "nhwc" });
    tensor.fill(rgb, placePicture(8, 6, 8, 6, "stretch"));
    assert.deepEqual([...tensor.data], [...rgb]);
  });

  it("is filled to the same bits with and without the compiled loop", () => {
    const random = seededRandom(9);
    const within = (max: number) => 1 + Math.floor(random() * max);
    for (let round = 0; round < 60; round += 1) {
      const [width, height] = [within(40), within(40)];
      const [mean, std] = [0, 1].map((least) => [0, 1, 2].map(() => least + random() * 130));
      const order = round % 2 === 0 ? "rgb" : "bgr";
      const layout = { ...plain, width, height, order, mean, std, pad: within(255) } as unknown as TensorLayout;
      const tensors = [true, false].map((compiles) => new InputTensor(layout, { compiles }));
      for (const fit of ["letterbox", "topleft", "stretch"] as const) {
        const at = placePicture(within(60), within(60), width, height, fit);
        const rgb = noise(at.width * at.height * 3, round);
        for (const tensor of tensors) tensor.fill(rgb, at);
        const [bits, plainBits] = tensors.map(({ data }) => Buffer.from(data.slice().buffer));
        assert.deepEqual(bits, plainBits);
      }
    }
  });

  it("has a compiled loop on every machine that runs the tests", () => {
    assert.notEqual(
      new InputTensor(plain).data.buffer.byteLength,
      new InputTensor(plain, { compiles: false }).data.byteLength,
    );
  });

  it("paints the padding again when a picture of another shape comes", () => {
    const tensor = new InputTensor(plain);
    tensor.fill(new Uint8Array(8 * 6 * 3).fill(255), placePicture(8, 6, 8, 6, "letterbox"));
    tensor.fill(new Uint8Array(8 * 2 * 3).fill(255), placePicture(8, 2, 8, 6, "letterbox"));
    assert.equal(tensor.data[0], Math.fround(114 / 255));
    assert.equal(tensor.data[47], Math.fround(114 / 255));
    assert.equal(tensor.data[16], 1);
  });

  it("reduces exactly as plain bilinear interpolation does", () => {
    const [width, height] = [23, 17];
    const rgb = noise(width * height * 3, 4);
    const tensor = new InputTensor({ ...plain, std: [1, 1, 1] });
    const at = placePicture(width, height, 8, 6, "stretch");
    tensor.fillExact(rgb, width, height, at);
    const level = (x: number, y: number) => rgb[(y * width + x) * 3] ?? 0;
    for (let y = 0; y < 6; y += 1) {
      for (let x = 0; x < 8; x += 1) {
        const sx = ((x + 0.5) * width) / 8 - 0.5;
        const sy = ((y + 0.5) * height) / 6 - 0.5;
        const [x0, y0] = [Math.floor(sx), Math.floor(sy)];
        const [fx, fy] = [sx - x0, sy - y0];
        const upper = level(x0, y0) * (1 - fx) + level(x0 + 1, y0) * fx;
        const lower = level(x0, y0 + 1) * (1 - fx) + level(x0 + 1, y0 + 1) * fx;
        assert.equal(tensor.data[y * 8 + x], Math.round(upper * (1 - fy) + lower * fy));
      }
    }
  });
});
