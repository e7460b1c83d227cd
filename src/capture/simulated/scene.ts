import type { Random } from "../../core/ports.ts";
import type { Box } from "../../core/types.ts";
import { seeded } from "./seeded.ts";

interface SceneOptions {
  /** The same seed is the same film. */
  readonly seed: number;
  /** Which picture of the film, from 0; any can be drawn without those before it. */
  readonly index: number;
  readonly width: number;
  readonly height: number;
}

export interface SceneObject {
  readonly label: string;
  /** Exactly where the object is drawn, in fractional pixels. */
  readonly box: Box;
}

interface Scene {
  readonly svg: string;
  readonly objects: readonly SceneObject[];
}

/** The colours are part of the promise: a detector that is exact on them can be written down. */
export const colours: Readonly<Record<string, string>> = {
  red: "rgb(215,35,35)",
  green: "rgb(35,190,60)",
  blue: "rgb(40,70,215)",
};
const labels = Object.keys(colours);

const objectSideMin = 40;
/** On each side of an object inside its own cell: at least 16 pixels lie between two objects, 8 before the border. */
const margin = 9;
const cellSideMin = objectSideMin + 2 * margin;
const columnsMax = 4;
const rowsMax = 3;
const objectsMax = 8;
/** Objects are dealt anew every so many pictures, and the last picture of each act is empty. */
const picturesPerAct = 6;
const drift = 0.35;

/**
 * One picture of an endless film: solid rectangles that drift over a dull background, come and go, and are known to a
 * fraction of a pixel. Each object keeps to a cell of its own, so that no two ever touch.
 */
export function scene(options: SceneOptions): Scene {
  const act = Math.floor(options.index / picturesPerAct);
  const picture = options.index % picturesPerAct;
  const objects = picture === picturesPerAct - 1 ? [] : objectsOf(options, act, picture);
  return { svg: svgOf(options, act, picture, objects), objects };
}

function objectsOf({ seed, width, height }: SceneOptions, act: number, picture: number): SceneObject[] {
  const random = seeded(seed, act);
  const cells = shuffled(cellsOf(width, height, random), random);
  const count = Math.min(cells.length, 1 + Math.floor(random() * objectsMax));
  const objects: SceneObject[] = [];
  for (const [position, cell] of cells.slice(0, count).entries()) {
    const object = objectIn(cell, picture, random);
    const from = Math.floor(random() * 3);
    const until = from + 2 + Math.floor(random() * picturesPerAct);
    // The first object stays through its act, so that only the last picture of an act is empty.
    if (position === 0 || (picture >= from && picture < until)) objects.push(object);
  }
  return objects;
}

/** A grid with uneven columns and rows, so that nothing lines up from act to act. */
function cellsOf(width: number, height: number, random: Random): Box[] {
  const columns = cuts(width, columnsMax, random);
  const rows = cuts(height, rowsMax, random);
  return rows.flatMap(([top, bottom]) =>
    columns.map(([left, right]) => ({ left, top, width: right - left, height: bottom - top })),
  );
}

function cuts(length: number, partsMax: number, random: Random): [number, number][] {
  const parts = Math.min(partsMax, Math.floor(length / cellSideMin));
  if (parts === 0) return [];
  const weights = Array.from({ length: parts }, () => 0.2 + random());
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const spare = length - parts * cellSideMin;
  let at = 0;
  return weights.map((weight) => {
    const from = at;
    at += cellSideMin + (spare * weight) / total;
    return [from, Math.min(at, length)];
  });
}

function objectIn(cell: Box, picture: number, random: Random): SceneObject {
  const label = labels[Math.floor(random() * labels.length)] ?? "red";
  const roomWidth = cell.width - 2 * margin;
  const roomHeight = cell.height - 2 * margin;
  const width = sideIn(roomWidth, random);
  const height = sideIn(roomHeight, random);
  const left = cell.left + margin + placeIn(roomWidth - width, picture, random);
  const top = cell.top + margin + placeIn(roomHeight - height, picture, random);
  return { label, box: { left: thousandth(left), top: thousandth(top), width, height } };
}

/** Rounded down, so that an object never outgrows its room. */
function sideIn(room: number, random: Random): number {
  return Math.max(objectSideMin, Math.floor(1_000 * (objectSideMin + (room - objectSideMin) * 0.8 * random())) / 1_000);
}

/** A place in `slack` pixels of freedom that moves evenly through the act. */
function placeIn(slack: number, picture: number, random: Random): number {
  const start = random();
  const step = ((random() - 0.5) * 2 * drift) / picturesPerAct;
  return Math.max(0, slack) * Math.min(1, Math.max(0, start + step * picture));
}

function svgOf(options: SceneOptions, act: number, picture: number, objects: readonly SceneObject[]): string {
  const { width, height } = options;
  const random = seeded(options.seed ^ 0x5bd1e995, act);
  // A slow flicker of a few grey levels, as any sensor has.
  const flicker = Math.round(seeded(options.seed, options.index ^ 0x2545)() * 6) - 3;
  const gradient =
    `<linearGradient id="g" x1="0" y1="0" x2="${round2(random())}" y2="1">` +
    `<stop offset="0" stop-color="${dull(random, flicker)}"/><stop offset="1" stop-color="${dull(random, flicker)}"/></linearGradient>`;
  const polygons = Array.from({ length: 5 }, () => {
    const shift = picture * (random() - 0.5) * 4;
    const points = Array.from({ length: 4 }, () => `${round2(random() * width + shift)},${round2(random() * height)}`);
    return `<polygon points="${points.join(" ")}" fill="${dull(random, flicker)}" fill-opacity="0.35"/>`;
  });
  const rectangles = objects.map(({ label, box }) => {
    const place = `x="${box.left}" y="${box.top}" width="${box.width}" height="${box.height}"`;
    return `<rect ${place} fill="${colours[label] ?? ""}"/>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<defs>${gradient}</defs><rect width="${width}" height="${height}" fill="url(#g)"/>` +
    `${polygons.join("")}${rectangles.join("")}</svg>`
  );
}

/** Nearly grey: no two channels differ by more than 24, far from every object's colour. */
function dull(random: Random, flicker: number): string {
  const grey = 80 + random() * 90 + flicker;
  const channels = Array.from({ length: 3 }, () => Math.round(grey + (random() - 0.5) * 22));
  return `rgb(${channels.join(",")})`;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

function thousandth(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
