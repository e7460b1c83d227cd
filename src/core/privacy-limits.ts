/** Bounds of what is hidden in pictures, with the reason for each. */
export const privacyLimits = {
  /** Windows, doors and a street before a wide lens are some ten; bounds what a frame's painting may take. */
  polygonsMax: 64,
  pointsMax: 256,
  labelsMax: 64,
  /** A painted picture is encoded once more: at 92 a detector finds the same, at a size near the camera's own. */
  quality: 92,
  /** Of a blurred box, squares along its longer side: a face of eight is nobody's. */
  blocksMax: 8,
  /** Pixels; of a small box fewer squares are left. */
  blockSideMin: 12,
  /** A detection that is shown nowhere may be a person all the same. */
  blurMinScore: 0.1,
  /** Of a box's sides: models cut off hair and shoes. */
  blurMargin: 0.1,
  /** A vision process that has crashed is back within this as a rule: until then a camera waits, and is not lost. */
  visionAwayMs: 5_000,
  visionLookMs: 250,
  /** Painting takes some 30 ms, ten times that on a Pi, and waits for other cameras. */
  paintMs: 10_000,
  /** A picture on which the vision process dies or hangs so often is not painted, and goes. */
  paintTriesMax: 3,
} as const;
