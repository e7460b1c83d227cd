import type { Random } from "../../core/ports.ts";
import type { Box } from "../../core/types.ts";
import { colours, type SceneObject } from "./scene.ts";
import { seeded } from "./seeded.ts";

/**
 * A street that a fixed camera looks at: the same background for ever, noise that differs in every picture, light that
 * may drift or jump, and now and then one object that comes, moves or stands, and goes. Any picture can be drawn without
 * those before it.
 */

export type EntryKind = "cross" | "stand" | "appear" | "slow";

export interface StreetOptions {
  /** The same seed is the same street. */
  readonly seed: number;
  /** Which picture, from 0. */
  readonly index: number;
  readonly width: number;
  readonly height: number;
  /** Pictures from one object to the next; with 100 and `cross` 9 of 10 pictures are like the one before. At least 12. */
  readonly periodFrames?: number;
  /** How objects come: by turns at random. */
  readonly entries?: readonly EntryKind[];
  /** `drift`: up and down by a third over 400 pictures. `sudden`: by a third, within the first pictures of an entry. */
  readonly light?: "steady" | "drift" | "sudden";
  /** Strength of the noise: 0.15 has a standard deviation of about 3 levels. */
  readonly noise?: number;
}

interface StreetPicture {
  readonly svg: string;
  /** Counts the objects, from 0. */
  readonly entry: number;
  /** What can be seen of the object; none while the street is empty. */
  readonly objects: readonly SceneObject[];
  /** It shows something else than the picture before, but for noise and light. */
  readonly changed: boolean;
}

/** How the object of one entry comes and goes. */
interface Entry {
  readonly label: string;
  readonly opacity: number;
  readonly firstFrame: number;
  readonly frames: number;
  readonly lightFrame: number;
  readonly boxAt: (frame: number) => Box;
}

const defaultPeriodFrames = 100;
const usualEntries: readonly EntryKind[] = ["cross", "stand", "appear"];
/** Shares of the picture. */
const areaMin = 0.031;
const areaMax = 0.1;
const opacityMin = 0.8;
const darkening = 0.3;
const driftFrames = 400;
const usualNoise = 0.12;
/** Noise is drawn once as a tile, which is repeated: drawing all of it would take a second. */
const noiseTile = 128;

export function street(options: StreetOptions): StreetPicture {
  const { index, periodFrames = defaultPeriodFrames } = options;
  const number = Math.floor(index / periodFrames);
  const frame = index % periodFrames;
  const entry = entryOf(options, number, periodFrames);
  const now = seenAt(entry, frame, options);
  const before = index % periodFrames === 0 ? undefined : seenAt(entry, frame - 1, options);
  const objects = now === undefined ? [] : [{ label: entry.label, box: now }];
  const changed = JSON.stringify(now) !== JSON.stringify(before);
  return { svg: svgOf(options, entry, { number, frame }), entry: number, objects, changed };
}

function entryOf(options: StreetOptions, number: number, periodFrames: number): Entry {
  const { seed, width, height, entries = usualEntries } = options;
  const random = seeded(seed ^ 0x51ee7, number);
  const kind = entries[Math.floor(random() * entries.length)] ?? "cross";
  const labels = Object.keys(colours);
  const label = labels[Math.floor(random() * labels.length)] ?? "red";
  const opacity = opacityMin + (1 - opacityMin) * random();
  const size = sizeOf(width, height, random);
  const frames = framesOf(kind, periodFrames);
  // The first picture of every period is empty, and so is the last.
  const firstFrame = 1 + Math.floor(random() * (periodFrames - frames - 1));
  const top = 10 + random() * (height - size.height - 20);
  const lightFrame = firstFrame + Math.floor(random() * 3);
  const place = placesOf(kind, frames, width, size.width, random);
  const boxAt = (frame: number): Box => ({ left: place(frame - firstFrame), top, ...size });
  return { label, opacity, firstFrame, frames, lightFrame, boxAt };
}

function framesOf(kind: EntryKind, periodFrames: number): number {
  switch (kind) {
    case "cross":
      return Math.max(5, Math.round(periodFrames / 10) - 1);
    case "stand":
      return Math.max(8, Math.round(periodFrames / 2));
    case "appear":
      return 2;
    case "slow":
      return periodFrames - 2;
  }
}

function sizeOf(width: number, height: number, random: Random): { readonly width: number; readonly height: number } {
  const area = (areaMin + (areaMax - areaMin) * random() ** 2) * width * height;
  const wanted = Math.sqrt(area * (0.4 + 2 * random()));
  const across = Math.min(wanted, width / 2, area / 40);
  const tall = Math.min(area / across, height - 40);
  return { width: area / tall, height: tall };
}

/** The left edge by pictures since the object came. */
function placesOf(kind: EntryKind, frames: number, width: number, side: number, random: Random) {
  const isMirrored = random() < 0.5;
  const rest = 12 + random() * (width - side - 24);
  const mirrored = (left: number) => (isMirrored ? width - side - left : left);
  switch (kind) {
    case "cross":
      return (since: number) => mirrored(((since + 1) / (frames + 1)) * (width + side) - side);
    case "stand": {
      const walk = 3;
      return (since: number) => {
        const left = Math.min(since + 1, walk, frames - since);
        return mirrored(-side + (left / walk) * (rest + side));
      };
    }
    case "appear":
      return () => rest;
    case "slow":
      return (since: number) => mirrored(-side + ((since + 1) / frames) * (side + 24));
  }
}

/** What of the object lies within the picture. */
function seenAt(
  { firstFrame, frames, boxAt }: Entry,
  frame: number,
  { width, height }: StreetOptions,
): Box | undefined {
  if (frame < firstFrame || frame >= firstFrame + frames) return undefined;
  const box = boxAt(frame);
  const left = Math.max(0, box.left);
  const right = Math.min(width, box.left + box.width);
  const bottom = Math.min(height, box.top + box.height);
  return right - left < 1 ? undefined : { left, top: box.top, width: right - left, height: bottom - box.top };
}

function svgOf(options: StreetOptions, entry: Entry, at: { readonly number: number; readonly frame: number }): string {
  const { width, height } = options;
  const isThere = at.frame >= entry.firstFrame && at.frame < entry.firstFrame + entry.frames;
  const box = entry.boxAt(at.frame);
  const object = isThere
    ? `<rect ${placed(box)} fill="${colours[entry.label] ?? ""}" fill-opacity="${entry.opacity.toFixed(3)}"/>`
    : "";
  const dark = darknessAt(options, entry, at);
  const shade = dark > 0 ? `<rect width="${width}" height="${height}" fill-opacity="${dark.toFixed(4)}"/>` : "";
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `${background(options)}${object}${shade}${noiseOver(options)}</svg>`
  );
}

/** Sky, houses and a road, nearly grey: far from every object's colour. */
function background({ seed, width, height }: StreetOptions): string {
  const random = seeded(seed, 0x5eed);
  const parts = [
    `<rect width="${width}" height="${height}" fill="${dull(random, 150)}"/>`,
    `<rect y="${0.55 * height}" width="${width}" height="${0.45 * height}" fill="${dull(random, 85)}"/>`,
  ];
  for (let house = 0; house < 9; house += 1) {
    const box = {
      left: (house / 9) * width,
      top: (0.1 + 0.3 * random()) * height,
      width: (0.6 + 0.4 * random()) * (width / 9),
      height: 0.25 * height,
    };
    parts.push(`<rect ${placed(box)} fill="${dull(random, 70 + 90 * random())}"/>`);
    const door = { ...box, left: box.left + 0.3 * box.width, width: 0.2 * box.width, height: 0.6 * box.height };
    parts.push(`<rect ${placed(door)} fill="${dull(random, 50 + 120 * random())}"/>`);
  }
  return parts.join("");
}

function noiseOver({ seed, index, width, height, noise = usualNoise }: StreetOptions): string {
  if (noise === 0) return "";
  const random = seeded(seed ^ 0x0015e, index);
  const whole = (below: number) => Math.floor(random() * below);
  const tile = `width="${noiseTile}" height="${noiseTile}"`;
  return (
    `<filter id="f" x="0" y="0" ${tile} filterUnits="userSpaceOnUse" color-interpolation-filters="sRGB">` +
    `<feTurbulence type="turbulence" baseFrequency="0.9" numOctaves="1" seed="${whole(65_536)}"/>` +
    `<feColorMatrix values="0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 ${noise} 0 0 0 0"/></filter>` +
    `<pattern id="n" ${tile} patternUnits="userSpaceOnUse" patternTransform="translate(${whole(noiseTile)},${whole(noiseTile)})">` +
    `<rect ${tile} filter="url(#f)"/></pattern><rect width="${width}" height="${height}" fill="url(#n)"/>`
  );
}

function darknessAt({ index, light = "steady" }: StreetOptions, entry: Entry, at: { number: number; frame: number }) {
  switch (light) {
    case "steady":
      return 0;
    case "drift":
      return (darkening / 2) * (1 - Math.cos((2 * Math.PI * index) / driftFrames));
    case "sudden": {
      const jumps = at.number + (at.frame >= entry.lightFrame ? 1 : 0);
      return jumps % 2 === 0 ? 0 : darkening;
    }
  }
}

function dull(random: Random, grey: number): string {
  return `rgb(${Array.from({ length: 3 }, () => Math.round(grey + (random() - 0.5) * 20)).join(",")})`;
}

function placed({ left, top, width, height }: Box): string {
  const [x, y, w, h] = [left, top, width, height].map((pixels) => pixels.toFixed(2));
  return `x="${x}" y="${y}" width="${w}" height="${h}"`;
}
