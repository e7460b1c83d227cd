import type { Placement } from "./letterbox.ts";

/** The last step before the model: RGB bytes into the input tensor, normalised, in one pass over a kept buffer. */

export interface TensorLayout {
  readonly width: number;
  readonly height: number;
  /** `nchw` is 32-bit float, `nhwc` is bytes as they are. */
  readonly layout: "nchw" | "nhwc";
  readonly order: "rgb" | "bgr";
  /** Per tensor channel, in the tensor's order: the value is (pixel - mean) / std. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly pad: number;
}

export class InputTensor {
  readonly data: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
  readonly #layout: TensorLayout;
  /** The value of each of the 256 levels, for each channel. */
  readonly #levels: readonly [Float32Array, Float32Array, Float32Array];
  /** Where the padding lies depends on the placement only: it is painted again when that changes. */
  #paddedFor = "";
  #steps: ResizeSteps | undefined;

  constructor(layout: TensorLayout) {
    const values = layout.width * layout.height * 3;
    this.data = layout.layout === "nchw" ? new Float32Array(values) : new Uint8Array(values);
    this.#layout = layout;
    this.#levels = [levels(layout, 0), levels(layout, 1), levels(layout, 2)];
  }

  /** `rgb` is the picture at the placement's size. */
  fill(rgb: Uint8Array, at: Placement): void {
    this.#pad(at);
    for (let channel = 0; channel < 3; channel += 1) {
      const { start, step, rowStep, source } = this.#channel(channel, at);
      const { data } = this;
      const table = this.#levels[channel] ?? this.#levels[0];
      for (let y = 0, from = source; y < at.height; y += 1) {
        let to = start + y * rowStep;
        for (let x = 0; x < at.width; x += 1, from += 3, to += step) data[to] = table[rgb[from] ?? 0] ?? 0;
      }
    }
  }

  /**
   * `rgb` is the picture at its full size: it is reduced on the way, bilinear with half-pixel centres and no
   * smoothing, each value rounded to a whole level. That is what the training tools do, so results repeat exactly.
   */
  fillExact(rgb: Uint8Array, pictureWidth: number, pictureHeight: number, at: Placement): void {
    this.#pad(at);
    const steps = this.#stepsFor(pictureWidth, pictureHeight, at);
    const { columns, columnParts, rows, rowParts } = steps;
    const rowBytes = pictureWidth * 3;
    const { data } = this;
    for (let channel = 0; channel < 3; channel += 1) {
      const { start, step, rowStep, source } = this.#channel(channel, at);
      const table = this.#levels[channel] ?? this.#levels[0];
      for (let y = 0; y < at.height; y += 1) {
        const upper = (rows[2 * y] ?? 0) * rowBytes + source;
        const lower = (rows[2 * y + 1] ?? 0) * rowBytes + source;
        const down = rowParts[y] ?? 0;
        let to = start + y * rowStep;
        for (let x = 0; x < at.width; x += 1, to += step) {
          const a = columns[2 * x] ?? 0;
          const b = columns[2 * x + 1] ?? 0;
          const across = columnParts[x] ?? 0;
          const topLeft = rgb[upper + a] ?? 0;
          const bottomLeft = rgb[lower + a] ?? 0;
          const top = topLeft + ((rgb[upper + b] ?? 0) - topLeft) * across;
          const bottom = bottomLeft + ((rgb[lower + b] ?? 0) - bottomLeft) * across;
          data[to] = table[(top + (bottom - top) * down + 0.5) | 0] ?? 0;
        }
      }
    }
  }

  /** Where a channel starts in the tensor, how far its pixels and rows are apart there, and its byte in the picture. */
  #channel(channel: number, at: Placement) {
    const { width, height, layout, order } = this.#layout;
    const planar = layout === "nchw";
    const step = planar ? 1 : 3;
    const first = planar ? channel * width * height : channel;
    return {
      start: first + (at.top * width + at.left) * step,
      step,
      rowStep: width * step,
      source: order === "rgb" ? channel : 2 - channel,
    };
  }

  #pad(at: Placement): void {
    const key = `${at.left},${at.top},${at.width},${at.height}`;
    if (key === this.#paddedFor) return;
    this.#paddedFor = key;
    const { width, height, layout, pad } = this.#layout;
    const plane = width * height;
    for (let channel = 0; channel < 3; channel += 1) {
      const value = this.#levels[channel]?.[pad] ?? 0;
      if (layout === "nchw") this.data.fill(value, channel * plane, (channel + 1) * plane);
      else for (let at3 = channel; at3 < this.data.length; at3 += 3) this.data[at3] = value;
    }
  }

  #stepsFor(pictureWidth: number, pictureHeight: number, at: Placement): ResizeSteps {
    const key = `${pictureWidth}x${pictureHeight}>${at.width}x${at.height}`;
    if (this.#steps?.key === key) return this.#steps;
    const across = axis(pictureWidth, at.width, 3);
    const down = axis(pictureHeight, at.height, 1);
    this.#steps = { key, columns: across.pairs, columnParts: across.parts, rows: down.pairs, rowParts: down.parts };
    return this.#steps;
  }
}

interface ResizeSteps {
  readonly key: string;
  /** Two neighbours for each output pixel (byte offsets for columns, row numbers for rows), and the second's share. */
  readonly columns: Int32Array;
  readonly columnParts: Float64Array;
  readonly rows: Int32Array;
  readonly rowParts: Float64Array;
}

function axis(from: number, to: number, unit: number): { readonly pairs: Int32Array; readonly parts: Float64Array } {
  const pairs = new Int32Array(to * 2);
  const parts = new Float64Array(to);
  for (let index = 0; index < to; index += 1) {
    const centre = Math.min(Math.max(((index + 0.5) * from) / to - 0.5, 0), from - 1);
    const first = Math.floor(centre);
    pairs[2 * index] = first * unit;
    pairs[2 * index + 1] = Math.min(first + 1, from - 1) * unit;
    parts[index] = centre - first;
  }
  return { pairs, parts };
}

function levels(layout: TensorLayout, channel: 0 | 1 | 2): Float32Array {
  const table = new Float32Array(256);
  const asIs = layout.layout === "nhwc";
  for (let level = 0; level < 256; level += 1) {
    table[level] = asIs ? level : (level - layout.mean[channel]) / layout.std[channel];
  }
  return table;
}
