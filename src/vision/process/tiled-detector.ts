import type { Box, Detection, TileGrid } from "../../core/types.ts";
import type { DetectAnswer } from "../protocol.ts";
import type { DecodedPicture, Detector } from "./detector.ts";
import type { Imaging, PictureSize, Pixels } from "./imaging.ts";
import { mergeViews, tilesOf, tileSize, type View } from "./tiles.ts";

/**
 * A detector over the whole picture and over each tile of it. What decides whether the model has to look at all is the
 * whole picture as an untiled detector decodes it; the tiles' pixels are decoded only then.
 */

/** Where a model suppresses nothing itself, because its outputs are final: tiles see the same objects all the same. */
const FINAL_IOU_MAX = 0.5;

interface Tile {
  /** In the decoded pixels. */
  readonly part: Box;
  /** The same in pixels of the picture. */
  readonly area: Box;
  /** Resized on its way into the model; else it has the model's size. */
  readonly exact: boolean;
}

export class TiledDetector {
  readonly #detector: Detector;
  readonly #grid: TileGrid;
  #crop = new Uint8Array(0);

  constructor(detector: Detector, grid: TileGrid) {
    this.#detector = detector;
    this.#grid = grid;
  }

  async detect(whole: DecodedPicture, picture: Buffer, imaging: Imaging): Promise<DetectAnswer> {
    const found = await this.#detector.detect(whole);
    const startedMs = performance.now();
    const { size, pixels, tiles } = await this.#decode(whole, picture, imaging);
    const timings = { ...found.timings, decodeMs: found.timings.decodeMs + performance.now() - startedMs };
    const { width, height } = whole;
    const views: View[] = [{ area: { left: 0, top: 0, width, height }, detections: found.detections }];
    const placement = this.#detector.place(size.width, size.height);
    for (const { part, area, exact } of tiles) {
      const cropped = { rgb: this.#cropped(pixels, part), width: part.width, height: part.height };
      const tile = { ...size, pixels: cropped, placement, exact, decodeMs: 0 };
      const answer = await this.#detector.detect(tile);
      views.push({ area, detections: answer.detections.map((detection) => moved(detection, size, area)) });
      timings.fillMs += answer.timings.fillMs;
      timings.runMs += answer.timings.runMs;
      timings.postMs += answer.timings.postMs;
    }
    const mergedFromMs = performance.now();
    const detections = mergeViews(views, whole, this.#detector.merging(FINAL_IOU_MAX));
    timings.postMs += performance.now() - mergedFromMs;
    return { ...found, detections, timings };
  }

  /**
   * As large as a tile can make use of: at the picture's own size, or where tiles are larger than the model's input, so
   * reduced that each has just the pixels that the model takes in.
   */
  async #decode(
    whole: DecodedPicture,
    picture: Buffer,
    imaging: Imaging,
  ): Promise<{ readonly size: PictureSize; readonly pixels: Pixels; readonly tiles: readonly Tile[] }> {
    const size = tileSize(whole, this.#grid);
    const placed = this.#detector.place(size.width, size.height);
    if (whole.exact || placed.width > size.width || placed.height > size.height) {
      const tiles = tilesOf(whole, this.#grid, size).map((area) => ({ part: area, area, exact: true }));
      return { size, pixels: whole.exact ? whole.pixels : await imaging.pixels(picture), tiles };
    }
    const reduced = {
      width: Math.round((whole.width * placed.width) / size.width),
      height: Math.round((whole.height * placed.height) / size.height),
    };
    // Of the pixels that there are: what rounding adds to a large picture's tile would lie beyond its border.
    const [scaleX, scaleY] = [whole.width / reduced.width, whole.height / reduced.height];
    const tiles = tilesOf(reduced, this.#grid, { width: placed.width, height: placed.height }).map((part) => {
      const { left, top, width, height } = part;
      const area = { left: left * scaleX, top: top * scaleY, width: width * scaleX, height: height * scaleY };
      return { part, area, exact: false };
    });
    return { size, pixels: await imaging.pixelsAt(picture, reduced), tiles };
  }

  /** Into a kept buffer: all tiles are of one size. */
  #cropped({ rgb, width }: Pixels, tile: Box): Uint8Array {
    const rowBytes = tile.width * 3;
    if (this.#crop.length !== rowBytes * tile.height) this.#crop = new Uint8Array(rowBytes * tile.height);
    for (let row = 0; row < tile.height; row += 1) {
      const from = ((tile.top + row) * width + tile.left) * 3;
      this.#crop.set(rgb.subarray(from, from + rowBytes), row * rowBytes);
    }
    return this.#crop;
  }
}

/** From a tile of this size to where it lies in the picture. */
function moved(detection: Detection, size: PictureSize, { left, top, width, height }: Box): Detection {
  const { box, polygon } = detection;
  const [scaleX, scaleY] = [width / size.width, height / size.height];
  const at = (x: number, y: number) => ({ x: left + x * scaleX, y: top + y * scaleY });
  const { x, y } = at(box.left, box.top);
  return {
    ...detection,
    box: { left: x, top: y, width: box.width * scaleX, height: box.height * scaleY },
    ...(polygon === undefined ? {} : { polygon: polygon.map((point) => at(point.x, point.y)) }),
  };
}
