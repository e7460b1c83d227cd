/** The bounds of what is asked of each platform; the others: `limits.ts`. */

import { KB, MB } from "./units.ts";

export const iotownLimits = {
  /** An account with thousands of nodes, or tens of thousands of labelled pictures. */
  listBytesMax: 32 * MB,
  /** A page holds up to 5,000 rows; where each carries a picture as text, ask for fewer. */
  pageBytesMax: 64 * MB,
  /** 50 million rows. Ends a server that answers every page with yet another key. */
  pagesMax: 10_000,
  /** Pictures, and films of some minutes. */
  fileBytesMax: 128 * MB,
} as const;

export const remoLimits = {
  /** The vendor's own client sends its files in groups of this size. */
  groupBytesMax: 8 * MB,
  /** Records of one upload session: what was sent before an answer is lost has to be found again by name, one by one. */
  recordsPerSessionMax: 24,
  /** Sessions remembered over a restart: with the names of their records some 8 KB. */
  sessionsMax: 4,
  /** Looks at a session: the first comes soon, as small sessions are done within a second. */
  pollFirstMs: 200,
  pollMaxMs: 2_000,
  /** A session that is not finished in one delivery is looked at again after this. */
  laterMs: 15_000,
  /** Looks in a row at a session that does not move, before it is given up: a server's worker that died ends no session. */
  standStillsMax: 3,
  /** Sets of a dataset and images by name are small answers; a contents page with annotations may be large. */
  answerBytesMax: 8 * MB,
  /** Exports and picture files. */
  fileBytesMax: 256 * MB,
  pagesMax: 10_000,
} as const;

export const onestepaiLimits = {
  /** One session takes so many, so that the few requests around them are no burden and the lock is short. */
  recordsPerSessionMax: 16,
  /** A session older than this may have been closed by the platform itself; nobody has published after how long. */
  freshSessionMs: 60_000,
  /** Of the request that ends a session. */
  finishTimeoutMs: 5_000,
  /** The same after a stop: within what deliver waits for a target that was stopped. */
  stoppedFinishTimeoutMs: 800,
  /** A dataset that somebody else has locked is asked for again this much later; the delivery's own back-off adds to it. */
  lockedAfterMs: 30_000,
  /** Some JWTs carry a page of claims. */
  jwtCharsMax: 16 * KB,
  idCharsMax: 128,
  nameCharsMax: 64,
  rulesMax: 64,
  /** Of category ids in the target's memory, below what that may hold in all. */
  memoryBytesMax: 12 * KB,
  /** Of `upload-folder`: pictures of one call, and folders below each other. */
  folderImagesMax: 100_000,
  folderDepthMax: 32,
  /** Failures in a row that are not the picture's: then the rest would fail alike. */
  failuresInARowMax: 3,
} as const;

export const layernextLimits = {
  /** Its journal of one batch has to fit `stateLimits.targetBytesMax`, whatever ids a server makes up. */
  batchRecordsMax: 12,
  batchRecordsDefault: 8,
  batchBytesDefault: 4 * MB,
  /** A power cut costs at most so much of sending over again, where a server does not tell what it has. */
  journalEveryMs: 1_000,
  /** Of an id, a file's key or a storage type that a server made up. */
  idBytesMax: 300,
  /** A small job is done in a second or two; the first polls come quickly. */
  pollFirstMs: 250,
  pollMaxMs: 4_000,
  /** In one call; a job that takes longer is asked for again in a later one, so that it holds up nobody. */
  jobWaitMs: 10_000,
  /** A call ends after this and what its bytes need, between two files or without waiting on for a job: before its deadline. */
  callMs: 20_000,
  laterPollFirstMs: 15_000,
  laterPollMaxMs: 5 * 60_000,
  /** Some 90 minutes in all; then the job counts as stuck and its images begin anew. */
  laterPollsMax: 20,
  /** The command line names so many files in one upload; the vendor's clients send slices of 100. */
  filesPerUploadMax: 500,
} as const;
