import type { MaskPoint } from "../../core/privacy.ts";
import type { Pixels } from "./imaging.ts";

/**
 * Polygons filled black in plain pixels. What a polygon so much as touches is filled, borders and corners too: nothing is
 * mixed with what lies behind it. Where it crosses itself, all that its line goes around is inside.
 */

/** What rounding may move a crossing by: rather a pixel more. */
const SLACK = 1e-6;

export function fillPolygon(pixels: Pixels, polygon: readonly MaskPoint[]): void {
  const heights = polygon.map(([, y]) => y);
  const edges = edgesOf(polygon);
  for (const edge of edges) {
    eachRow(pixels, edge.top[1], edge.bottom[1], (row) => fillTouched(pixels, row, edge));
  }
  eachRow(pixels, Math.min(...heights), Math.max(...heights), (row) => fillInside(pixels, row, edges));
}

/** Of the picture, from one height to another that is not above it. */
function eachRow({ height }: Pixels, from: number, to: number, visit: (row: number) => void): void {
  const first = Math.max(0, Math.floor(from - SLACK));
  const last = Math.min(height - 1, Math.floor(to + SLACK));
  for (let row = first; row <= last; row += 1) visit(row);
}

/** Downwards: `top` is not below `bottom`. */
interface Edge {
  readonly top: MaskPoint;
  readonly bottom: MaskPoint;
  /** Which way the polygon's line goes along it. */
  readonly turn: 1 | -1;
}

function edgesOf(polygon: readonly MaskPoint[]): readonly Edge[] {
  return polygon.map((from, at): Edge => {
    const to = polygon[(at + 1) % polygon.length] ?? from;
    return from[1] <= to[1] ? { top: from, bottom: to, turn: 1 } : { top: to, bottom: from, turn: -1 };
  });
}

/** The pixels of a row that an edge runs through or along. */
function fillTouched(pixels: Pixels, row: number, edge: Edge): void {
  const { top, bottom } = edge;
  const isFlat = bottom[1] - top[1] < SLACK;
  const enters = isFlat ? top[0] : crossing(edge, Math.max(row, top[1]));
  const leaves = isFlat ? bottom[0] : crossing(edge, Math.min(row + 1, bottom[1]));
  fillSpan(pixels, row, Math.min(enters, leaves), Math.max(enters, leaves));
}

/** A pixel that no edge touches is inside or outside as a whole, as its middle is. */
function fillInside(pixels: Pixels, row: number, edges: readonly Edge[]): void {
  const middle = row + 0.5;
  const crossings: { readonly x: number; readonly turn: number }[] = [];
  for (const edge of edges) {
    if (edge.top[1] <= middle && edge.bottom[1] > middle)
      crossings.push({ x: crossing(edge, middle), turn: edge.turn });
  }
  crossings.sort((a, b) => a.x - b.x);
  let turns = 0;
  let from = 0;
  for (const { x, turn } of crossings) {
    if (turns !== 0) fillSpan(pixels, row, from, x);
    turns += turn;
    from = x;
  }
}

/** Where the edge is at this height, which it reaches. */
function crossing({ top, bottom }: Edge, y: number): number {
  if (bottom[1] === top[1]) return top[0];
  const share = Math.min(1, Math.max(0, (y - top[1]) / (bottom[1] - top[1])));
  return top[0] + share * (bottom[0] - top[0]);
}

function fillSpan({ rgb, width }: Pixels, row: number, from: number, to: number): void {
  const first = Math.max(0, Math.floor(from - SLACK));
  const last = Math.min(width - 1, Math.floor(to + SLACK));
  if (first <= last) rgb.fill(0, (row * width + first) * 3, (row * width + last + 1) * 3);
}
