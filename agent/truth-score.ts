import { createHash } from "node:crypto";
import type { CameraDriver, Shot } from "../src/core/ports.ts";
import type { Box } from "../src/core/types.ts";
import { SimulatedDriver } from "../src/capture/simulated/driver.ts";

interface TrueObject {
  readonly label: string;
  readonly box: Box;
}

/** A picture as a platform received it: labels with the box's centre, in fractions. */
export interface ReceivedImage {
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly labels: readonly {
    readonly name: string;
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  }[];
}

export interface TruthResult {
  readonly images: number;
  readonly objects: number;
  readonly found: number;
  readonly extra: number;
  /** Largest distance of any edge from where it was drawn, in pixels of the frame. */
  readonly worstEdgePixels: number;
}

/** Scenes wait here until their picture arrives; those whose frame was not kept are forgotten. */
const scenesMax = 1_000;
/** Farther off than this it is another object, not a badly placed one. */
const sameObjectPixels = 20;

/** Compares what arrived at the end of the chain with what the simulated camera drew at its start. */
export class TruthScore {
  readonly #scenes = new Map<string, readonly TrueObject[]>();
  #images = 0;
  #objects = 0;
  #found = 0;
  #extra = 0;
  #worstEdgePixels = 0;

  /** The same driver; of a simulated one each picture is noted under its hash. */
  watch(driver: CameraDriver): CameraDriver {
    if (!(driver instanceof SimulatedDriver)) return driver;
    let index = 0;
    return {
      kind: driver.kind,
      pace: driver.pace,
      mayRepeat: driver.mayRepeat,
      start: (signal) => driver.start(signal),
      stop: () => driver.stop(),
      shot: async (signal): Promise<Shot> => {
        const shot = await driver.shot(signal);
        if (shot.kind === "image") {
          this.#note(createHash("sha256").update(shot.jpeg).digest("hex"), driver.truthOf(index));
          index += 1;
        }
        return shot;
      },
    };
  }

  received(image: ReceivedImage): void {
    const truth = this.#scenes.get(image.sha256);
    if (truth === undefined) return;
    this.#scenes.delete(image.sha256);
    this.#images += 1;
    this.#objects += truth.length;
    const open = new Set(truth);
    for (const label of image.labels) {
      const found = boxOf(label, image);
      const match = [...open]
        .filter((object) => object.label === label.name)
        .map((object) => ({ object, off: edgeDistance(object.box, found) }))
        .sort((a, b) => a.off - b.off)[0];
      if (match === undefined || match.off > sameObjectPixels) {
        this.#extra += 1;
        continue;
      }
      open.delete(match.object);
      this.#found += 1;
      this.#worstEdgePixels = Math.max(this.#worstEdgePixels, match.off);
    }
  }

  result(): TruthResult {
    return {
      images: this.#images,
      objects: this.#objects,
      found: this.#found,
      extra: this.#extra,
      worstEdgePixels: Number(this.#worstEdgePixels.toFixed(2)),
    };
  }

  #note(sha256: string, objects: readonly TrueObject[]): void {
    this.#scenes.set(sha256, objects);
    const oldest = this.#scenes.keys().next();
    if (this.#scenes.size > scenesMax && oldest.done !== true) this.#scenes.delete(oldest.value);
  }
}

function boxOf(label: ReceivedImage["labels"][number], { width, height }: ReceivedImage): Box {
  return {
    left: (label.x - label.w / 2) * width,
    top: (label.y - label.h / 2) * height,
    width: label.w * width,
    height: label.h * height,
  };
}

/** The largest distance between corresponding edges. */
function edgeDistance(a: Box, b: Box): number {
  return Math.max(
    Math.abs(a.left - b.left),
    Math.abs(a.top - b.top),
    Math.abs(a.left + a.width - b.left - b.width),
    Math.abs(a.top + a.height - b.top - b.height),
  );
}
