/** Bounds of the vision process, and of what is judged by pictures; the others: `limits.ts`. */

import { KB, MB } from "./units.ts";

export const visionLimits = {
  /** Below the lowest score anybody asked to keep; bounds what is stored per record. */
  scoreFloor: 0.05,
  detectionsMax: 100,
  /** Points of an outline: a hundred of them take 150 KB of a record's metadata, of which 256 KB are allowed. */
  outlinePointsMax: 64,
  /** Of the model's threshold: what scores less is stored for its box. An outline of a whole picture takes 2 ms at 640. */
  outlineScoreShare: 0.5,
  /**
   * A photo of a crowd has 2,450 candidates for 624 faces. Suppression takes candidates times detections kept: 1 ms for
   * 3,000 with the usual 100, 20 ms at worst where all of them may be kept.
   */
  candidatesMax: 3_000,
  /** A detection longer than this is a hang; the slowest measured model takes 0.3 s on x64, ten times that on a Pi. */
  callTimeoutMs: 30_000,
  /** What each tile may add to that: a second and more than the slowest model takes on a Pi. */
  tileTimeoutMs: 5_000,
  /** Along one side of the picture. */
  tilesMax: 8,
  /** Of a tile: what is no larger is whole in one of two neighbours. */
  tileOverlap: 0.2,
  loadTimeoutMs: 60_000,
  /** Callers wait in the client; more than this means that someone forgot the newest-frame rule. */
  callsWaitingMax: 16,
  /** A 50 MP sensor; bounds what a decode at full size may allocate to 200 MB. */
  pixelsMax: 64_000_000,
  /** What is kept of the vision process's stderr for its error text. */
  stderrTailBytes: 4 * KB,
  modelBytesMax: 512 * MB,
  /** A usual model takes 100 to 330 MB; one that takes more leaks, or does not belong on a gateway. */
  rssBytesMax: 768 * MB,
  /** Of what the whole service may have: from there on the next large picture could reach the bound. */
  groupShareMax: 0.85,
  /** More than a process grows by being used, which is 10 MB; less gives nothing back worth a second without detector. */
  groupGrowthBytesMin: 32 * MB,
  groupAskEveryMs: 5_000,
  /** Where others fill the service's memory, a new vision process does not help for long. */
  groupReliefEveryMs: 10 * 60_000,
  /** Without a single detection: some minutes of a usual camera. Then one of them is looked at closer. */
  silentAfterPictures: 500,
  /** Of 1,000, where 0 is usual: a process that is twice as large goes first all the same. */
  oomScoreAdjustment: 500,
  /** Answers after which the vision process frees what their pictures left behind: a megabyte each. */
  collectEvery: 8,
  /**
   * Answers after which it frees also what outlived such a collection, a kilobyte each: left to itself, V8 lets tens of
   * megabytes of it pile up. A few milliseconds, after an answer.
   */
  collectAllEvery: 1_000,
  /** How old the vision process's own word on its memory may be. */
  rssEveryMs: 1_000,
  /** A model on which so many processes in a row have died while loading is left alone for a while. */
  loadDeathsMax: 3,
  /** After that it is tried again, twice as late every time. */
  modelRetryFirstMs: 60_000,
  modelRetryMaxMs: 60 * 60_000,
  backoffFirstMs: 500,
  backoffMaxMs: 60_000,
  healthyAfterMs: 30_000,
  stopGraceMs: 2_000,
  /** Cameras whose last pictures are remembered, up to 190 KB each: `configLimits.camerasMax`. */
  watchedCamerasMax: 64,
  /** Pictures after the last motion that the model sees too: what has come to rest gets a second look. */
  motionHoldFrames: 1,
  /** And so many more while something scores just below the threshold; a bush that always does must not go on for ever. */
  motionDoubtFrames: 3,
  /** Long side of a picture that is decoded for its measures alone. */
  measureSidePixels: 320,
  messageBytesMax: 64 * MB,
  /** One read takes a usual frame whole. */
  readBytes: MB,
  /** A frame of 12 MP; the memory of larger ones is given back. */
  keptFrameBytesMax: 8 * MB,
} as const;

export const trackLimits = {
  /** Of one label, from frame to frame: a walking person keeps 0.5 at two frames a second. */
  iouMin: 0.3,
  forgetAfterMs: 30_000,
  /** At least so many of a camera's intervals, so that one miss does not end a track. */
  forgetAfterFrames: 3,
  /** Objects followed at once by one camera: as many as a record may hold. */
  objectsMax: 100,
} as const;

export const shadowLimits = {
  /** A frame that the second model saw waits no longer than this for it; the slowest measured model takes 3 s on a Pi. */
  waitMs: 5_000,
  /** Of the time, for the second model: however often it is to look, the first one is slowed by no more. */
  workShareMax: 0.2,
  /** Frames kept for a disagreement, of one camera: 1,440 a day at worst, some 300 MB. */
  keepEveryMs: 60_000,
  /** Labels that a reason names. */
  labelsMax: 4,
} as const;

export const motionDefaults = {
  /** What the gate should miss in spite of everything is seen after this at the latest, for 1 to 5 % of the model's work. */
  detectEveryMs: 30_000,
  /** A person at 20 m before a usual wide lens; a sixth of what must never be missed. */
  minAreaShare: 0.005,
  /** The noise of a good sensor by day, averaged over a place, is a tenth of this. */
  minContrastLevels: 6,
} as const;

export const imageLimits = {
  /** Each fault has two thresholds, so that a picture near one of them does not make the state flap. */
  darkLuma: { enter: 32, leave: 44 },
  /** White paper fills less; snow in the sun is exposed darker by every camera. */
  whiteShare: { enter: 0.3, leave: 0.22 },
  /** A sky over a street leaves more structure than this. */
  flatShare: { enter: 0.98, leave: 0.95 },
  /** Sharp photos have 0.56 and more; blurred by 1/160 of their width (8 pixels of 1280) they have 0.27 to 0.34. */
  sharpness: { enter: 0.33, leave: 0.4 },
  /** The clock that many cameras draw into their picture takes up to this share; noise changes far more. */
  frozenShare: { enter: 0.03, leave: 0.06 },
  /** A state begins and ends after so many pictures in a row that say so, over at least this time. */
  changeFrames: 3,
  changeMs: 10_000,
  /** A denoised picture of an empty room may come twice alike; this long it does not. */
  frozenFrames: 10,
  frozenMs: 60_000,
  /** Without a model a picture is decoded for its measures alone, and only this often. */
  measureAloneEveryMs: 5_000,
  /** Of a fast stream not every picture is measured: a state needs some pictures over seconds, not all of them. */
  measureEveryMs: 500,
} as const;
