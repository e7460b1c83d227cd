import type { Random } from "../../src/core/ports.ts";
import type { Box } from "../../src/core/types.ts";

/** Random scenes that the tiny models must read without a fault: an SVG and what is in it. */

export interface SceneObject {
  readonly label: string;
  readonly box: Box;
}

interface Scene {
  readonly svg: string;
  readonly objects: readonly SceneObject[];
}

export const sceneWidth = 1_280;
export const sceneHeight = 720;

const paints: readonly (readonly [string, string])[] = [
  ["red", "rgb(215,35,35)"],
  ["green", "rgb(35,190,60)"],
  ["blue", "rgb(40,70,215)"],
];
const BORDER = 8;
const GAP = 16;
const SIDE_MIN = 40;
const SIDE_MAX = 360;
const OBJECTS_MAX = 12;

export function randomScene(random: Random): Scene {
  const objects: SceneObject[] = [];
  const wanted = 1 + Math.floor(random() * OBJECTS_MAX);
  let drawn = background(random);
  for (let tries = 0; tries < 400 && objects.length < wanted; tries += 1) {
    const box = randomBox(random);
    if (objects.some((other) => isNear(box, other.box))) continue;
    const [label, paint] = paints[Math.floor(random() * paints.length)] ?? ["", ""];
    objects.push({ label, box });
    drawn += rectangle(box, paint);
  }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${sceneWidth}" height="${sceneHeight}">${drawn}</svg>`;
  return { svg, objects };
}

/** Small boxes are as likely as large ones, so that many fit. */
function randomBox(random: Random): Box {
  const side = () => SIDE_MIN + (SIDE_MAX - SIDE_MIN) * random() ** 3;
  const width = side();
  const height = side();
  return {
    left: BORDER + random() * (sceneWidth - 2 * BORDER - width),
    top: BORDER + random() * (sceneHeight - 2 * BORDER - height),
    width,
    height,
  };
}

function isNear(a: Box, b: Box): boolean {
  const apartX = Math.max(a.left, b.left) - Math.min(a.left + a.width, b.left + b.width);
  const apartY = Math.max(a.top, b.top) - Math.min(a.top + a.height, b.top + b.height);
  return apartX < GAP && apartY < GAP;
}

/** Dull colours whose channels differ by at most 24. */
function background(random: Random): string {
  const level = () => 24 + Math.floor(random() * 200);
  const dull = () => {
    const base = level();
    const channel = () => base + Math.floor(random() * 25);
    return `rgb(${channel()},${channel()},${channel()})`;
  };
  let drawn = rectangle({ left: 0, top: 0, width: sceneWidth, height: sceneHeight }, dull());
  for (let index = 0; index < 6; index += 1) drawn += rectangle(randomBox(random), dull());
  return drawn;
}

function rectangle({ left, top, width, height }: Box, paint: string): string {
  return `<rect x="${left.toFixed(3)}" y="${top.toFixed(3)}" width="${width.toFixed(3)}" height="${height.toFixed(3)}" fill="${paint}"/>`;
}
