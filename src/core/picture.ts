import { imageLimits } from "./vision-limits.ts";

/** What a picture's pixels tell of the camera that took it: measured in the vision process, judged here. */

export interface PictureMeasures {
  /** Of the upright picture. */
  readonly width: number;
  readonly height: number;
  /** Luma, 0 to 255: its mean, and the levels that 5 % and 95 % of the picture do not exceed. */
  readonly lumaMean: number;
  readonly lumaP5: number;
  readonly lumaP95: number;
  /** Shares of the picture where nothing can be told any more because it is black, or white. */
  readonly blackShare: number;
  readonly whiteShare: number;
  /** Share of the picture without any structure. A wall has much of it; a hand before the lens nothing else. */
  readonly flatShare: number;
  /**
   * Of the clearest edges: which part of their rise lies within 1/320 of the picture's long side. 0.5 and more is sharp.
   * It depends neither on the scene's contrast nor on how many edges there are; absent where there are hardly any, as in fog.
   */
  readonly sharpness?: number;
  /**
   * Share of the picture that differs at all from this camera's picture measured before; sensor noise alone makes it large.
   * Absent for the first picture, for one that belongs to no camera, and where nearly all is black or white.
   */
  readonly changedShare?: number;
}

/** In the order in which one hides the next: noise does not show in the dark either. */
export const pictureFaults = ["dark", "frozen", "over-exposed", "covered", "blurred"] as const;
export type PictureFault = (typeof pictureFaults)[number];

/** How the picture of one camera has been for a while. */
export interface ImageHealth {
  readonly state: PictureFault | "good";
  /** Wall clock. */
  readonly sinceMs: number;
  /** Of the newest picture. */
  readonly measures: PictureMeasures;
}

/** For a person. */
export const faultTexts: Readonly<Record<PictureFault, string>> = {
  frozen: "the picture does not change at all, not even by noise",
  dark: "the picture is dark",
  "over-exposed": "the picture is over-exposed",
  covered: "the picture shows hardly any structure: something is before the lens, or fog",
  blurred: "the picture is blurred: nothing in it is sharp",
};

/**
 * What is wrong with a picture, worst first; empty: nothing. `lasting` is judged with the threshold at which it ends
 * instead of the one at which it begins, so that a picture in between changes nothing. One picture never proves
 * `frozen`; that takes several in a row.
 */
export function judgeMeasures(measures: PictureMeasures, lasting?: PictureFault | "good"): readonly PictureFault[] {
  return pictureFaults.filter((fault) => faults[fault](measures, lasting === fault ? "leave" : "enter"));
}

/** Nights are dark, and the sun shines into cameras: those are states, and no reason to send anybody. */
export function isTrouble(state: ImageHealth["state"]): state is "frozen" | "covered" | "blurred" {
  return state === "frozen" || state === "covered" || state === "blurred";
}

const faults: Readonly<Record<PictureFault, (measures: PictureMeasures, which: "enter" | "leave") => boolean>> = {
  frozen: ({ changedShare }, which) => changedShare !== undefined && changedShare <= imageLimits.frozenShare[which],
  dark: ({ lumaP95 }, which) => lumaP95 <= imageLimits.darkLuma[which],
  "over-exposed": ({ whiteShare }, which) => whiteShare >= imageLimits.whiteShare[which],
  covered: ({ flatShare, lumaP95 }, which) =>
    flatShare >= imageLimits.flatShare[which] && lumaP95 > imageLimits.darkLuma.enter,
  blurred: ({ sharpness }, which) => sharpness !== undefined && sharpness <= imageLimits.sharpness[which],
};
