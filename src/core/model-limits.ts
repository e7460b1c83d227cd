/** Bounds of models on disk, of their downloads and their proof; the others: `limits.ts`. */

import { KB, MB } from "./units.ts";

export const modelLimits = {
  /** The largest public detector that a gateway can run is 36 MB; twice the largest file that vision loads is refused. */
  bytesMax: 512 * MB,
  namesMax: 1_000,
  /** A manifest, a release file or its signature. */
  textBytesMax: 256 * KB,
  /** minisign's own bounds are 1 KB for the one comment and 8 KB for the other. */
  signatureBytesMax: 16 * KB,
  updateEveryMs: 6 * 60 * 60_000,
  probationMs: 30 * 60_000,
  /** A server is asked no more often, whatever the config says. */
  updateEveryMinMs: 1_000,
  /** The first look at a release comes in this time after a start: when the rest runs, and not for a whole fleet at once. */
  updateFirstMaxMs: 2 * 60_000,
  /** After a failure: doubling, and never longer than a look without one would wait. */
  updateBackoffFirstMs: 60_000,
  /** Of a release file and of its signature: small, from wherever. */
  releaseTimeoutMs: 60_000,
  /** A clock that cannot be trusted yet is looked at again after this. */
  updateClockMs: 60_000,
  /** Jitter of every pause: this share of it less or more. */
  updateJitter: 0.25,
  /** Proofs of one release that ended with the process before they had an answer. */
  proofsMax: 3,
  /** Without a word of the release on it, a run may take so many times what it took before, and this long anyway. */
  slowerMax: 4,
  runMsAlways: 500,
  /** In use, beside cameras and uploads, a run may take so many times what it may in the proof. */
  runMsInUse: 2,
  /** What a model in probation does is judged this often, */
  probationLookMs: 1_000,
  /** its time from so many looks on, */
  probationLooksMin: 20,
  /** its errors from so many on, when they are this share of all looks, */
  probationFailuresMin: 10,
  probationFailureShare: 0.1,
  /** and its crashes. The same number of agents that did not end as they should send it back at the next start. */
  probationCrashesMax: 3,
  /** A model that could not be sent back is tried again after this. */
  rollbackAgainMs: 60_000,
  /** Releases remembered as unfit here; and what updates have installed, of which two are kept. */
  refusalsMax: 32,
  fetchedMax: 32,
  /** What a cut download has is kept for its next try, and is what a crash may cost of it. */
  downloadFlushBytes: MB,
  downloadFlushEveryMs: 5_000,
  /** Failures in a row that bring no byte; and tries in all, of a line that brings some bytes each time. */
  downloadFailuresMax: 5,
  downloadTriesMax: 100,
  downloadBackoffFirstMs: 1_000,
  downloadBackoffMaxMs: 30_000,
  /** After this nobody goes on with it. */
  downloadAgeMaxMs: 7 * 24 * 60 * 60_000,
  /** What another system's process (of a container) has left is removed after this: it cannot be seen from here. */
  foreignAgeMaxMs: 24 * 60 * 60_000,
} as const;

export const proofLimits = {
  /** A picture that shows more is a crowd, where suppression turns on the last bit of a score. */
  expectedMax: 50,
  /** A 12 MP JPEG at quality 100. */
  pictureBytesMax: 8 * MB,
  /**
   * What differs between two machines that both do it right: float sums in another order move a score by 0.001, int8
   * kernels of another processor one by 0.03 and a box to 0.97. A wrong decode is far outside of three times that.
   */
  iouMin: 0.9,
  scoreTolerance: 0.1,
  /** Enough for a median on a busy machine; fewer where a run takes long. */
  runs: 7,
  runsTimeMaxMs: 10_000,
  /** Nodes of a graph are some hundred; parts that are looked at in one file, each a few bytes. */
  graphPartsMax: 500_000,
  /** Values of the metadata as they are shown. */
  metadataCharsMax: 200,
} as const;
