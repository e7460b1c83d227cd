/** Bounds of deliveries, of the network below them, and of what is fetched back; the others: `limits.ts`. */

import { KB, MB } from "./units.ts";

export const deliverLimits = {
  /** Full jitter, doubling; the first delay is uniform over 0–15 s only for reconnects of a fleet (linkLimits). */
  backoffFirstMs: 1_000,
  backoffMaxMs: 15 * 60_000,
  /** A link that connects by itself, with a back-off of its own, is asked again this soon: asking costs no network. */
  linkAwayBackoffMs: 5_000,
  /** Wrong credentials or addresses need a person: asking more often only fills the platform's log. */
  credentialsBackoffMs: 5 * 60_000,
  /** A server's Retry-After is honoured up to this. */
  retryAfterMaxMs: 60 * 60_000,
  /**
   * Charged failures before a record is set aside for a target. A platform that takes batches charges all of a batch for one
   * job that failed: with 5, one of 1,000 good records was set aside while 5 % of the answers were broken.
   */
  attemptsMax: 8,
  /** Failures of the same record with others succeeding in between before it is charged. */
  suspectFailuresMax: 3,
  /** Suspects remembered per target; the oldest is forgotten first. */
  suspectsMax: 256,
  recordBackoffFirstMs: 5_000,
  recordBackoffMaxMs: 10 * 60_000,
  /** Far more than a gateway has cameras; beyond it all are tried again. */
  heldCamerasMax: 256,
  /** A call may take this long plus what its bytes, and those of the calls before it, need at `bytesPerSecondMin`. */
  callTimeoutMs: 30_000,
  bytesPerSecondMin: 8 * KB,
  /** A target that does not end at its deadline is abandoned after this, so that it cannot keep its lane. */
  abandonAfterMs: 1_000,
  /** Under a limit a call takes no more than the bytes of this time, or one record. */
  limitedCallSeconds: 10,
  /** And the targets that wait for it draw lots within this time. */
  limitedTurnMs: 50,
  /**
   * What a call may send, for each byte of its pictures and besides: base64 takes a third more, and a picture that is
   * refused for its size goes again, smaller. As much of a budget is kept free for each call under way.
   */
  reservedTimes: 3,
  reservedBytesMin: 64 * KB,
  /** Used bytes of a budget are written down after this share of it, but not for less; a crash forgets as much. */
  usageNotedShare: 0.005,
  usageNotedBytesMin: 64 * KB,
  /** And this often, when there are any: 48 times a day, a megabyte or two on a card. */
  usageNotedEveryMs: 30 * 60_000,
  /** What is left of a pause is written down this often: a crash makes it longer by that. */
  pauseNotedEveryMs: 60_000,
  /** What a stop waits for calls in flight before it aborts them. */
  stopGraceMs: 5_000,
  /** A spool that announced work and had none is asked again after this. */
  emptyLeaseMs: 250,
  /** Tries to settle an outcome: some 40 s on average, 80 s at most, before the sending goes on without. */
  settleTriesMax: 10,
  /** Accepted records of a target that the spool was not told of; a crash sends as many again. Beyond it nothing is sent. */
  unsettledMax: 256,
  spoolBackoffFirstMs: 200,
  spoolBackoffMaxMs: 30_000,
} as const;

export const reduceLimits = {
  /** Worse pictures teach a model the artefacts. */
  defaultQualityMin: 50,
  /** Half the width and height is a quarter of the bytes: objects of 20 pixels are still there. */
  defaultScaleMin: 0.5,
  /** Copies made of one picture before it is given up. */
  copiesMax: 6,
  /** Cameras write 75 to 95: a copy above this is no smaller as a rule. */
  firstQuality: 80,
  /** Nobody knows the quality of an original; the first copy towards a size tells how wrong this was. */
  originalQuality: 85,
  /** A copy aims a little below what is taken: the prediction is rough, and one copy less is worth more than 5 %. */
  aimShare: 0.95,
  /** What was taken and what was refused are close enough: to narrow the limit down further costs more than it brings. */
  closeRatio: 1.15,
  /** A limit may be raised: after this one picture is sent in its full size again. */
  learnedForMs: 10 * 60_000,
} as const;

export const pullLimits = {
  /** The largest data sets that are drawn by hand have about a tenth; boxes of this many take some 100 MB. */
  imagesMax: 200_000,
  /** Downloads at a time: one transfers while the other waits for its answer. */
  lanes: 2,
  /** Of one picture, before it counts as missing. */
  triesMax: 3,
  backoffFirstMs: 1_000,
  backoffMaxMs: 30_000,
  /** So many pictures in a row cannot be fetched: the platform is away, and each of the rest would take a minute. */
  failuresInARowMax: 10,
  /** So many that the platform does not have, and not one that it has: the address is wrong. */
  goneBeforeFirstMax: 100,
  /** Pictures named with their trouble in the summary. */
  problemsToldMax: 100,
} as const;

export const linkLimits = {
  connectTimeoutMs: 10_000,
  /** Silence of this long ends a request; before its answer begins, what the body needs to leave is added. */
  idleTimeoutMs: 15_000,
  /** A whole request, plus what its body needs at `deliverLimits.bytesPerSecondMin`: ends answers that drip for ever. */
  requestTimeoutMs: 15_000,
  /** Unused connections are closed after this: many servers close theirs after 5 s, and a request would meet that. */
  socketUnusedMs: 4_000,
  /** One address of several gets this long; Node's own 250 ms gives up on every mobile network. */
  addressAttemptMs: 2_500,
  /** Platforms answer with a few hundred bytes; a page of HTML is not read to its end. */
  answerBytesMax: MB,
  /** What an error keeps of a foreign answer. */
  snippetChars: 200,
  /** What is decoded and masked to get them; a whole answer stalls all else for tens of milliseconds. */
  snippetBytes: 4 * KB,
  /** Larger answers are judged by their opening: to parse one of 1 MB stalls all else. */
  parsedAnswerBytesMax: 64 * KB,
  /** Public stores of files redirect once or twice. */
  redirectsMax: 5,
  /** A download that comes more slowly over this time of waiting is given up: 512 bytes a second, at 2G the least. */
  slowAfterMs: 60_000,
  slowBytesPerSecond: 512,
  socketsPerTargetMax: 2,
  /** As large as a picture of 2 MP usually gets; what is larger is left to the garbage collector. */
  keptPayloadBytesMax: MB,
  mqttKeepaliveSeconds: 30,
  /** 32 in flight brought no rate but 50 MB of memory; 4 is the knee. */
  mqttWindowMax: 4,
  mqttInFlightBytesMax: 4 * MB,
  /** Publishes that wait for a place in the window; more than this means that a caller ignores the window. */
  mqttWaitingMax: 64,
  /** A PUBACK may take this long plus what the bytes before it need at `mqttBytesPerSecondMin`. */
  mqttAckTimeoutMs: 30_000,
  mqttBytesPerSecondMin: 8 * KB,
  /** Larger messages from a broker are left out: commands and notices take some KB. */
  mqttReceivedBytesMax: MB,
  /** MQTT 5: messages that a broker sends before we have acknowledged earlier ones. */
  mqttReceiveMax: 10,
  /** Messages that wait for whoever listens; above what a broker sends unacknowledged (MQTT 5: ours, Mosquitto: 20). */
  mqttHeardWaitingMax: 64,
  /** A DISCONNECT that a frozen broker never reads is not waited for longer. */
  mqttCloseGraceMs: 1_000,
  /** A connection that lived this long was healthy: its loss starts the back-off anew. */
  mqttHealthyAfterMs: 30_000,
  reconnectFirstMaxMs: 15_000,
  reconnectFirstMs: 1_000,
  reconnectMaxMs: 60_000,
} as const;
