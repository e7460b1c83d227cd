import { MB } from "./units.ts";

/** Bounds of what the local page shows and remembers, with the reason for each. */
export const pageLimits = {
  /** What has changed is told at most this often: a person reads no faster, and every tab costs a look at all parts. */
  tickMs: 1_000,
  /** Frames of a camera that can be fetched after newer ones came: a slow link gets the picture it was told of. */
  heldFramesPerCamera: 3,
  /** Of all pictures that are held for open pages. */
  heldBytesMax: 32 * MB,
  /** Boxes of one frame that a page draws; a picture with more is unreadable. */
  boxesMax: 60,
  /** Latest frames with detections: two rows on a wide screen, some scrolling on a phone. */
  sightingsMax: 24,
  /** Of one camera in this time there is one of them, so that a busy one leaves room for the others. */
  sightingEveryMs: 1_000,
  /** Of their pictures, until a page has asked for the thumbnails. */
  sightingBytesMax: 8 * MB,
  /** Shown about 160 pixels wide, on screens with two pixels for one. */
  thumbnailSideMax: 320,
  thumbnailQuality: 72,
  /** Points of each chart: the last three hours. */
  minutesMax: 180,
  minuteMs: 60_000,
  /** Of the log a page begins with so much: a few screens, and what fits the budget of the page. */
  logLinesMax: 80,
  logCharsMax: 16_000,
  /** The line about the health of a device with many parts has some hundred. */
  logLineCharsMax: 2_000,
  /** Answers that are remembered, for a page whose connection broke before it had them. */
  answersMax: 64,
} as const;
