import type { PictureSize } from "./imaging.ts";

/**
 * A picture on a small grid: what measures and motion are computed from. Taken from the pixels that are decoded anyway.
 * Three colours, because a green car before a grey wall of the same brightness has to be seen.
 */

/** Cells on each side of a block; a block is the least place whose change is judged. */
const BLOCK_SIDE = 4;
export const CELLS_PER_BLOCK = BLOCK_SIDE ** 2;
/** Blocks on the long side of a picture. */
const BLOCKS_LONG = 32;
/** Samples of a cell: they are added up, so that a cell's value is in quarters of a level. */
export const CELL_SCALE = 4;

export interface Thumbnail {
  /** Equal for pictures of equal size, at equal decoded size, and only for them. */
  readonly key: string;
  readonly blocks: number;
  /** Red, green, blue of each cell, 0 to 1020, block by block. */
  readonly cells: Uint16Array;
  /** Red, green, blue of each block, 0 to 255: the mean of its cells. */
  readonly means: Float32Array;
}

/** Takes thumbnails of one picture size after another; the places of the samples are kept between two of a size. */
export class ThumbnailMaker {
  #grid: Grid | undefined;

  /**
   * `previous` is used again where it has the right size. `shape` is the picture's own size where the pixels may be
   * stretched: a wide picture has fewer rows of blocks than columns, however a model wants to see it.
   */
  take(
    rgb: Uint8Array,
    width: number,
    height: number,
    previous?: Thumbnail,
    shape: PictureSize = { width, height },
  ): Thumbnail {
    const key = `${shape.width}x${shape.height} as ${width}x${height}`;
    if (this.#grid?.key !== key) this.#grid = gridFor(key, width, height, shape);
    const grid = this.#grid;
    const thumbnail = previous?.key === key ? previous : emptyThumbnail(grid);
    sample(rgb, grid, thumbnail);
    return thumbnail;
  }
}

interface Grid {
  readonly key: string;
  readonly blockColumns: number;
  readonly blockRows: number;
  /** Byte offsets of two samples a cell, along a row and down a column. */
  readonly across: Int32Array;
  readonly down: Int32Array;
}

function gridFor(key: string, width: number, height: number, shape: PictureSize): Grid {
  const long = Math.max(shape.width, shape.height);
  const blockColumns = Math.max(1, Math.round((BLOCKS_LONG * shape.width) / long));
  const blockRows = Math.max(1, Math.round((BLOCKS_LONG * shape.height) / long));
  const across = places(width, blockColumns * BLOCK_SIDE, 3);
  const down = places(height, blockRows * BLOCK_SIDE, width * 3);
  return { key, blockColumns, blockRows, across, down };
}

function places(length: number, cells: number, unit: number): Int32Array {
  const samples = cells * 2;
  return Int32Array.from({ length: samples }, (_, at) => Math.floor(((at + 0.5) * length) / samples) * unit);
}

function emptyThumbnail({ key, blockColumns, blockRows }: Grid): Thumbnail {
  const blocks = blockColumns * blockRows;
  return {
    key,
    blocks,
    cells: new Uint16Array(blocks * CELLS_PER_BLOCK * 3),
    means: new Float32Array(blocks * 3),
  };
}

function sample(rgb: Uint8Array, { blockColumns, blockRows, across, down }: Grid, { cells, means }: Thumbnail): void {
  let to = 0;
  let block = 0;
  for (let blockRow = 0; blockRow < blockRows; blockRow += 1) {
    for (let blockColumn = 0; blockColumn < blockColumns; blockColumn += 1) {
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      for (let y = 0; y < BLOCK_SIDE; y += 1) {
        const upper = down[2 * (blockRow * BLOCK_SIDE + y)] ?? 0;
        const lower = down[2 * (blockRow * BLOCK_SIDE + y) + 1] ?? 0;
        for (let x = 0; x < BLOCK_SIDE; x += 1) {
          const left = across[2 * (blockColumn * BLOCK_SIDE + x)] ?? 0;
          const right = across[2 * (blockColumn * BLOCK_SIDE + x) + 1] ?? 0;
          const a = upper + left;
          const b = upper + right;
          const c = lower + left;
          const d = lower + right;
          const red = (rgb[a] ?? 0) + (rgb[b] ?? 0) + (rgb[c] ?? 0) + (rgb[d] ?? 0);
          const green = (rgb[a + 1] ?? 0) + (rgb[b + 1] ?? 0) + (rgb[c + 1] ?? 0) + (rgb[d + 1] ?? 0);
          const blue = (rgb[a + 2] ?? 0) + (rgb[b + 2] ?? 0) + (rgb[c + 2] ?? 0) + (rgb[d + 2] ?? 0);
          cells[to] = red;
          cells[to + 1] = green;
          cells[to + 2] = blue;
          to += 3;
          sum0 += red;
          sum1 += green;
          sum2 += blue;
        }
      }
      const samples = CELLS_PER_BLOCK * CELL_SCALE;
      means[block] = sum0 / samples;
      means[block + 1] = sum1 / samples;
      means[block + 2] = sum2 / samples;
      block += 3;
    }
  }
}
