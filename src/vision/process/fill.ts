import { fillKernel, LEVELS, type FillKernel } from "./fill-kernel.ts";
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
  readonly #channels: Channels;
  readonly #kernel: FillKernel | undefined;
  /** Where the padding lies depends on the placement only: it is painted again when that changes. */
  #paddedFor = "";
  #steps: ResizeSteps | undefined;

  /** `compiles`: with the compiled loop, where the engine can. The values are the same without it. */
  constructor(layout: TensorLayout, { compiles = true } = {}) {
    const values = layout.width * layout.height * 3;
    this.#kernel = compiles && layout.layout === "nchw" ? kernelOf(layout) : undefined;
    this.data = this.#kernel?.planes ?? (layout.layout === "nchw" ? new Float32Array(values) : new Uint8Array(values));
    this.#layout = layout;
    this.#channels = channelsOf(layout);
  }

  /** `rgb` is the picture at the placement's size. */
  fill(rgb: Uint8Array, at: Placement): void {
    this.#pad(at);
    if (this.#kernel === undefined) this.#fillPlainly(rgb, at);
    else fillRows(this.#kernel, rgb, this.#layout.width, at);
  }

  #fillPlainly(rgb: Uint8Array, at: Placement): void {
    const { data } = this;
    const { step, plane, source0, source2, mean0, mean1, mean2, std0, std1, std2 } = this.#channels;
    for (let y = 0, from = 0; y < at.height; y += 1) {
      let to = ((at.top + y) * this.#layout.width + at.left) * step;
      for (let x = 0; x < at.width; x += 1, from += 3, to += step) {
        data[to] = ((rgb[from + source0] ?? 0) - mean0) / std0;
        data[to + plane] = ((rgb[from + 1] ?? 0) - mean1) / std1;
        data[to + 2 * plane] = ((rgb[from + source2] ?? 0) - mean2) / std2;
      }
    }
  }

  /**
   * `rgb` is the picture at its full size: it is reduced on the way, bilinear with half-pixel centres and no
   * smoothing, each value rounded to a whole level. That is what the training tools do, so results repeat exactly.
   */
  fillExact(rgb: Uint8Array, pictureWidth: number, pictureHeight: number, at: Placement): void {
    this.#pad(at);
    const { data } = this;
    const { step, plane, source0, source2, mean0, mean1, mean2, std0, std1, std2 } = this.#channels;
    const { columns, columnParts, rows, rowParts } = this.#stepsFor(pictureWidth, pictureHeight, at);
    for (let y = 0; y < at.height; y += 1) {
      const upper = (rows[2 * y] ?? 0) * pictureWidth * 3;
      const lower = (rows[2 * y + 1] ?? 0) * pictureWidth * 3;
      const down = rowParts[y] ?? 0;
      let to = ((at.top + y) * this.#layout.width + at.left) * step;
      for (let x = 0; x < at.width; x += 1, to += step) {
        const left = columns[2 * x] ?? 0;
        const right = columns[2 * x + 1] ?? 0;
        const across = columnParts[x] ?? 0;
        const a = upper + left;
        const b = upper + right;
        const c = lower + left;
        const d = lower + right;
        data[to] = (between(rgb, a + source0, b + source0, c + source0, d + source0, across, down) - mean0) / std0;
        data[to + plane] = (between(rgb, a + 1, b + 1, c + 1, d + 1, across, down) - mean1) / std1;
        data[to + 2 * plane] =
          (between(rgb, a + source2, b + source2, c + source2, d + source2, across, down) - mean2) / std2;
      }
    }
  }

  #pad(at: Placement): void {
    const key = `${at.left},${at.top},${at.width},${at.height}`;
    if (key === this.#paddedFor) return;
    this.#paddedFor = key;
    const { pad } = this.#layout;
    const { step, plane, mean0, mean1, mean2, std0, std1, std2 } = this.#channels;
    const { data } = this;
    for (let to = 0; to < data.length - 2 * plane; to += step) {
      data[to] = (pad - mean0) / std0;
      data[to + plane] = (pad - mean1) / std1;
      data[to + 2 * plane] = (pad - mean2) / std2;
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

function kernelOf({ width, height, order, mean, std }: TensorLayout): FillKernel | undefined {
  const sources = order === "rgb" ? [0, 1, 2] : [2, 1, 0];
  const channels = sources.map((source, channel) => ({
    source,
    values: Float32Array.from({ length: LEVELS }, (_, level) => (level - (mean[channel] ?? 0)) / (std[channel] ?? 1)),
  }));
  return fillKernel(width * height, channels);
}

function fillRows(kernel: FillKernel, rgb: Uint8Array, inputWidth: number, at: Placement): void {
  kernel.rgb.set(rgb);
  // As wide as the input, the rows lie one behind the other there too.
  const isWhole = at.width === inputWidth;
  const [rows, count] = isWhole ? [1, at.width * at.height] : [at.height, at.width];
  for (let row = 0; row < rows; row += 1) kernel.copy(row * count, (at.top + row) * inputWidth + at.left, count);
}

/** Everything the inner loops need, as plain numbers: three lookups less a pixel than arrays. */
interface Channels {
  /** From one pixel to the next in the tensor, and from one channel to the next. */
  readonly step: number;
  readonly plane: number;
  /** Which byte of a pixel the first and the last channel take; the middle one is green in any order. */
  readonly source0: number;
  readonly source2: number;
  readonly mean0: number;
  readonly mean1: number;
  readonly mean2: number;
  readonly std0: number;
  readonly std1: number;
  readonly std2: number;
}

function channelsOf({ layout, width, height, order, mean, std }: TensorLayout): Channels {
  const sources = order === "rgb" ? { source0: 0, source2: 2 } : { source0: 2, source2: 0 };
  if (layout === "nhwc") {
    const asIs = { mean0: 0, mean1: 0, mean2: 0, std0: 1, std1: 1, std2: 1 };
    return { step: 3, plane: 1, ...sources, ...asIs };
  }
  const [mean0, mean1, mean2] = mean;
  const [std0, std1, std2] = std;
  return { step: 1, plane: width * height, ...sources, mean0, mean1, mean2, std0, std1, std2 };
}

/**
 * The level between four, rounded. The order of the operations decides how a tie is rounded, and one level in one pixel
 * moves the scores of a quantised model: it is the order of the reference that the tests compare with.
 */
function between(
  rgb: Uint8Array,
  topLeft: number,
  topRight: number,
  bottomLeft: number,
  bottomRight: number,
  across: number,
  down: number,
): number {
  const a = rgb[topLeft] ?? 0;
  const c = rgb[bottomLeft] ?? 0;
  const top = a * (1 - across) + (rgb[topRight] ?? 0) * across;
  const bottom = c * (1 - across) + (rgb[bottomRight] ?? 0) * across;
  return (top * (1 - down) + bottom * down + 0.5) | 0;
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
