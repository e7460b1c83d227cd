import type { Detection, Point } from "../src/core/types.ts";

/** Boxes, outlines and labels as an SVG of the picture's size, to be drawn over it. */
export function boxesSvg(
  size: { readonly width: number; readonly height: number },
  detections: readonly Detection[],
): string {
  const line = Math.max(2, Math.round(Math.max(size.width, size.height) / 400));
  const text = line * 8;
  const marks = detections.map(({ label, score, box, polygon, line: path }) => {
    const colour = colourOf(label);
    const words = `${label} ${score.toFixed(2)}`;
    // Above the box where there is room, else inside it.
    const top = box.top >= text * 1.3 ? box.top - text * 1.3 : box.top;
    const width = words.length * text * 0.6;
    const left = Math.max(0, Math.min(box.left, size.width - width));
    return [
      polygon === undefined
        ? ""
        : `<polygon points="${pointsText(polygon)}" fill="${colour}" fill-opacity="0.3" stroke="${colour}" stroke-width="${line / 2}"/>`,
      path === undefined
        ? ""
        : `<polyline points="${pointsText(path)}" fill="none" stroke="${colour}" stroke-width="${line / 2}"/>`,
      `<rect x="${box.left}" y="${box.top}" width="${box.width}" height="${box.height}" fill="none" stroke="${colour}" stroke-width="${line}"/>`,
      `<rect x="${left}" y="${top}" width="${width}" height="${text * 1.3}" fill="${colour}"/>`,
      `<text x="${left + text * 0.2}" y="${top + text}" font-family="sans-serif" font-size="${text}" fill="#fff">${escaped(words)}</text>`,
    ].join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}">${marks.join("")}</svg>`;
}

function pointsText(points: readonly Point[]): string {
  return points.map(({ x, y }) => `${x},${y}`).join(" ");
}

/** The same label always gets the same colour, dark enough for white text. */
function colourOf(label: string): string {
  let hash = 0;
  for (const character of label) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return `hsl(${hash}, 75%, 38%)`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
