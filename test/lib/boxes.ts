import type { Box } from "../../src/core/types.ts";

/** The largest distance between edges of the same side, in pixels where the boxes are. */
export function worstEdge(a: Box, b: Box): number {
  return Math.max(
    Math.abs(a.left - b.left),
    Math.abs(a.top - b.top),
    Math.abs(a.left + a.width - b.left - b.width),
    Math.abs(a.top + a.height - b.top - b.height),
  );
}
