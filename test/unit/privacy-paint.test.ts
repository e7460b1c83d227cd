import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { maskVersionOf, type MaskPoint } from "../../src/core/privacy.ts";
import { pixelate } from "../../src/vision/process/pixelate.ts";
import { fillPolygon } from "../../src/vision/process/polygon-fill.ts";
import { Painted } from "../lib/painted.ts";
import { seededRandom } from "../lib/seams.ts";

const width = 40;
const height = 30;
const white = () => new Painted(width, height).map(() => 255);

/** Each pixel that is black, as `#`. */
function rowsOf({ rgb }: Painted): readonly string[] {
  const isBlack = (at: number) => rgb[3 * at] === 0 && rgb[3 * at + 1] === 0 && rgb[3 * at + 2] === 0;
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (__, x) => (isBlack(y * width + x) ? "#" : ".")).join(""),
  );
}

/** Whether a segment and a square have a point in common, by cutting the segment at the square's four lines. */
function meets([x1, y1]: MaskPoint, [x2, y2]: MaskPoint, x: number, y: number): boolean {
  let [from, to] = [0, 1];
  const cuts: readonly (readonly [number, number])[] = [
    [x1 - x2, x1 - x],
    [x2 - x1, x + 1 - x1],
    [y1 - y2, y1 - y],
    [y2 - y1, y + 1 - y1],
  ];
  for (const [along, room] of cuts) {
    if (along === 0 && room < 0) return false;
    if (along < 0) from = Math.max(from, room / along);
    if (along > 0) to = Math.min(to, room / along);
  }
  return from <= to;
}

/** How often the polygon's line goes around a point: the sum of the angles under which its sides are seen. */
function goesAround(polygon: readonly MaskPoint[], x: number, y: number): boolean {
  const angles = polygon.map(([ax, ay], at) => {
    const [bx, by] = polygon[(at + 1) % polygon.length] ?? [ax, ay];
    const [px, py, qx, qy] = [ax - x, ay - y, bx - x, by - y];
    return Math.atan2(px * qy - py * qx, px * qx + py * qy);
  });
  return Math.round(angles.reduce((sum, angle) => sum + angle, 0) / (2 * Math.PI)) !== 0;
}

function isTouched(polygon: readonly MaskPoint[], x: number, y: number): boolean {
  const sides = polygon.map((from, at) => [from, polygon[(at + 1) % polygon.length] ?? from] as const);
  return sides.some(([from, to]) => meets(from, to, x, y)) || goesAround(polygon, x + 0.5, y + 0.5);
}

describe("a privacy mask", () => {
  it("covers every pixel that a polygon touches, and no other", () => {
    const random = seededRandom(11);
    for (let round = 0; round < 120; round += 1) {
      // Also beyond the picture, crossing itself, and on whole pixels.
      const place = (side: number) => (random() * 1.4 - 0.2) * side;
      const whole = round % 2 === 0 ? Math.round : (value: number) => value;
      const polygon = Array.from({ length: 3 + Math.floor(random() * 6) }, (): MaskPoint => [
        whole(place(width)),
        whole(place(height)),
      ]);
      const painted = white();
      fillPolygon(painted, polygon);
      const expected = Array.from({ length: height }, (_, y) =>
        Array.from({ length: width }, (__, x) => (isTouched(polygon, x, y) ? "#" : ".")).join(""),
      );
      assert.deepEqual(rowsOf(painted), expected, JSON.stringify(polygon));
    }
  });

  it("covers what a line goes around twice, the middle of a star", () => {
    const star: readonly MaskPoint[] = [0, 2, 4, 1, 3].map((corner) => [
      20 + 14 * Math.sin((corner * 2 * Math.PI) / 5),
      15 - 14 * Math.cos((corner * 2 * Math.PI) / 5),
    ]);
    const painted = white();
    fillPolygon(painted, star);
    assert.equal(rowsOf(painted)[15]?.[20], "#");
  });

  it("covers a line without an area, and nothing of a polygon that lies outside", () => {
    const line = white();
    fillPolygon(line, [
      [5.2, 5.5],
      [30, 5.5],
      [10, 5.5],
    ]);
    assert.equal(rowsOf(line)[5], `${".".repeat(5)}${"#".repeat(26)}${".".repeat(9)}`);
    const outside = white();
    fillPolygon(outside, [
      [50, 5],
      [60, 5],
      [60, 20],
    ]);
    assert.ok(!rowsOf(outside).join("").includes("#"));
  });

  it("has a version that changes with all that it hides, and with nothing else", () => {
    const size = { width: 640, height: 360 };
    const polygons = [[[0, 0] as const, [9, 0] as const, [9, 9] as const]];
    const blur = { labels: ["person", "face"], margin: 0.1, minScore: 0.1 };
    const versions = [
      { mask: { size, polygons } },
      { mask: { size: { ...size, height: 361 }, polygons } },
      { mask: { size, polygons: [[[0, 0] as const, [9, 0] as const, [9, 8] as const]] } },
      { mask: { size, polygons }, blur },
      { blur },
      { blur: { ...blur, labels: ["person"] } },
      { blur: { ...blur, margin: 0.2 } },
      { blur: { ...blur, minScore: 0.2 } },
    ].map(maskVersionOf);
    assert.equal(new Set(versions).size, versions.length);
    assert.equal(maskVersionOf({ blur: { ...blur, labels: ["face", "person", "face"] } }), versions[4]);
    assert.equal(maskVersionOf({}), undefined);
    // It stands in records for years: what was hidden must be told from it later, too.
    assert.equal(versions[0], maskVersionOf({ mask: { polygons, size } }));
    assert.match(versions[0] ?? "", /^[0-9a-f]{16}$/);
  });
});

describe("a blurred box", () => {
  it("is at most eight squares of one colour across, whatever was in it", () => {
    const random = seededRandom(3);
    const noise = new Painted(320, 240).noisy(random, 500);
    const before = Uint8Array.from(noise.rgb);
    pixelate(noise, { left: 40.4, top: 20.2, width: 200, height: 150 });
    const at = (x: number, y: number) => (y * 320 + x) * 3;
    const rowColours = new Set<string>();
    for (let x = 40; x < 241; x += 1) rowColours.add(noise.rgb.subarray(at(x, 30), at(x, 30) + 3).join());
    assert.ok(rowColours.size <= 8, `${rowColours.size} colours in a row`);
    for (const [x, y] of [
      [39, 30],
      [242, 30],
      [100, 19],
      [100, 172],
    ] as const) {
      assert.deepEqual(noise.rgb.subarray(at(x, y), at(x, y) + 3), before.subarray(at(x, y), at(x, y) + 3));
    }
  });

  it("leaves two squares of a small one, and stays within the picture", () => {
    const noise = new Painted(64, 48).noisy(seededRandom(4), 500);
    pixelate(noise, { left: 50, top: 40, width: 20, height: 20 });
    const colours = new Set<string>();
    for (let x = 50; x < 64; x += 1) colours.add(noise.rgb.subarray((44 * 64 + x) * 3, (44 * 64 + x) * 3 + 3).join());
    assert.equal(colours.size, 2);
  });
});
