import {
  add,
  compiled,
  constant,
  fixedMemory,
  get,
  isBelow,
  loadByte,
  loadFloat,
  repeatWhile,
  set,
  shiftLeft,
  storeFloat,
} from "./wasm.ts";

/**
 * Bytes of pixels into planes of floats, a value in a processor's cycle: a quarter of the time that the engine takes for
 * the same loop in TypeScript. A byte has only 256 values, which are computed once for each channel, so that the result
 * has the same bits whatever mean and deviation are.
 */

export interface FillKernel {
  /** Of the three channels, one after the other. */
  readonly planes: Float32Array<ArrayBuffer>;
  /** Where the pixels are put before. */
  readonly rgb: Uint8Array;
  /** `count` pixels from a pixel of `rgb` on, to a place of each plane and what follows. */
  copy(fromPixel: number, toPlace: number, count: number): void;
}

interface KernelChannel {
  /** Which byte of a pixel it takes. */
  readonly source: number;
  /** What each level becomes. */
  readonly values: Float32Array;
}

export const LEVELS = 256;
const FLOAT_BYTES = 4;
const FLOAT_SHIFT = 2;
const TABLE_BYTES = LEVELS * FLOAT_BYTES;
const PIXEL_BYTES = 3;

/** Parameters of the loop: addresses relative to the first pixel and to the begin of a plane. */
const [from, to, end] = [0, 1, 2];

/** Undefined where the engine has no WebAssembly, or the machine no room for its memory. */
export function fillKernel(planePixels: number, channels: readonly KernelChannel[]): FillKernel | undefined {
  const planeBytes = planePixels * FLOAT_BYTES;
  const planesFrom = channels.length * TABLE_BYTES;
  const rgbFrom = planesFrom + channels.length * planeBytes;
  const pixel = channels.flatMap(({ source }, channel) => [
    ...get(to),
    ...get(from),
    ...loadByte(rgbFrom + source),
    ...constant(FLOAT_SHIFT),
    ...shiftLeft,
    ...loadFloat(channel * TABLE_BYTES),
    ...storeFloat(planesFrom + channel * planeBytes),
  ]);
  const step = [...forward(from, PIXEL_BYTES), ...forward(to, FLOAT_BYTES)];
  const loop = repeatWhile([...get(to), ...get(end), ...isBelow], [...pixel, ...step]);
  try {
    const memory = fixedMemory(rgbFrom + planePixels * PIXEL_BYTES);
    const run = compiled(3, loop, memory);
    for (const [channel, { values }] of channels.entries()) {
      new Float32Array(memory.buffer, channel * TABLE_BYTES, LEVELS).set(values);
    }
    return {
      planes: new Float32Array(memory.buffer, planesFrom, channels.length * planePixels),
      rgb: new Uint8Array(memory.buffer, rgbFrom, planePixels * PIXEL_BYTES),
      copy: (fromPixel, toPlace, count) => {
        if (count > 0) run(fromPixel * PIXEL_BYTES, toPlace * FLOAT_BYTES, (toPlace + count) * FLOAT_BYTES);
      },
    };
  } catch {
    return undefined;
  }
}

function forward(local: number, bytes: number): readonly number[] {
  return [...get(local), ...constant(bytes), ...add, ...set(local)];
}
