import { pointsInside } from "../../core/detections.ts";
import type { Box, Point } from "../../core/types.ts";

/** How a picture is placed in a model's input, and back. Pure geometry. */

export type Fit = "letterbox" | "topleft" | "stretch";

export interface Placement {
  /** The picture's size inside the input, in whole pixels, and where it starts. */
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  /** Input pixels per picture pixel. */
  readonly scaleX: number;
  readonly scaleY: number;
}

export function placePicture(
  pictureWidth: number,
  pictureHeight: number,
  inputWidth: number,
  inputHeight: number,
  fit: Fit,
): Placement {
  if (fit === "stretch") {
    const scaleX = inputWidth / pictureWidth;
    return { width: inputWidth, height: inputHeight, left: 0, top: 0, scaleX, scaleY: inputHeight / pictureHeight };
  }
  const scale = Math.min(inputWidth / pictureWidth, inputHeight / pictureHeight);
  const width = Math.max(1, Math.min(inputWidth, Math.round(pictureWidth * scale)));
  const height = Math.max(1, Math.min(inputHeight, Math.round(pictureHeight * scale)));
  const centred = fit === "letterbox";
  return {
    width,
    height,
    left: centred ? Math.floor((inputWidth - width) / 2) : 0,
    top: centred ? Math.floor((inputHeight - height) / 2) : 0,
    scaleX: scale,
    scaleY: scale,
  };
}

/** A box given by its edges in input pixels, as a box in picture pixels. Not clipped. */
export function boxInPicture(left: number, top: number, right: number, bottom: number, placement: Placement): Box {
  return {
    left: (left - placement.left) / placement.scaleX,
    top: (top - placement.top) / placement.scaleY,
    width: (right - left) / placement.scaleX,
    height: (bottom - top) / placement.scaleY,
  };
}

/**
 * Points in input pixels as points of the picture, moved to its border where they lie outside. To a tenth of a pixel:
 * an outline is not finer, and more digits would be most of a record's metadata.
 */
export function polygonInPicture(
  points: readonly Point[],
  placement: Placement,
  pictureWidth: number,
  pictureHeight: number,
): readonly Point[] {
  const placed = points.map(({ x, y }) => ({
    x: Math.round(((x - placement.left) / placement.scaleX) * 10) / 10,
    y: Math.round(((y - placement.top) / placement.scaleY) * 10) / 10,
  }));
  return pointsInside(placed, pictureWidth, pictureHeight);
}
