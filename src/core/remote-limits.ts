/** The bounds of remote control, of what it publishes, and of the shell that sends commands; the others: `limits.ts`. */

import { KB, MB } from "./units.ts";

export const remoteLimits = {
  /** A patch of a config with 64 cameras takes some 20 KB. */
  requestBytesMax: 64 * KB,
  /** A config is five deep. */
  jsonDepthMax: 32,
  /** Requests a second in the long run, and at once after a silence: a person with a script, not a flood. */
  requestsPerSecond: 1,
  requestsBurst: 10,
  /** One reply in this time speaks for all that are above that. */
  busyEveryMs: 1_000,
  /** Requests under way at once; they are short, and a slow one runs alone. */
  runningMax: 16,
  slowWaitingMax: 8,
  /** Waiting for their moment, because the caller asked many devices to spread. */
  spreadingMax: 16,
  commandTimeoutMs: 30_000,
  slowTimeoutMs: 15 * 60_000,
  ttlMaxMs: 7 * 24 * 60 * 60_000,
  spreadMaxMs: 60 * 60_000,
  messageCharsMax: 300,
  /** Answers that are remembered, so that a request that comes again has no second effect. */
  resultsMax: 256,
  resultsFileBytesMax: 1024 * KB,
  /**
   * Of one remembered answer, whose data is left out beyond, and of arguments that are kept for another try. Quotes double
   * in the file: 256 of 1.5 KB, and 24 that are under way with the addresses of all who wait.
   */
  resultBytesMax: 600,
  /** Who sent a request again while it was under way. */
  followersMax: 4,
  /** A UUID has 36; twice that for two of them is plenty, more is echoed and not remembered. */
  correlationBytesMax: 256,
  /** Keys whose counters are remembered, also those that the config has no longer. */
  countersMax: 128,
  /** Of the arguments in an audit event, and how many are named in their place. */
  auditArgsBytesMax: 1024,
  auditPathsMax: 64,
  /** Of one reply; beyond, its data is left out. */
  replyBytesMax: 256 * KB,
  /** Replies and events that wait for the broker; the oldest event goes first. */
  outboxMax: 256,
  outboxBytesMax: 4 * MB,
  /** Replies that the broker's access list refuses are tried again, in case someone mends it. */
  parkedMax: 64,
  refusedRetryMs: 60_000,
  /** What a caller that does not ask in time has no use for. */
  replyExpirySeconds: 60 * 60,
  statusEveryMs: 60_000,
  /** A change of state is looked for this often. */
  statusLookMs: 2_000,
  /** Told in one status: 64 cameras, 32 targets and 32 troubles stay below 64 KB, which EMQX and AWS IoT take. */
  troublesMax: 32,
  statusBytesMax: 64 * KB,
  /** Of a support bundle, where the caller does not say: AWS IoT takes packets of 128 KB. Its log is cut to fit. */
  bundleBytesDefault: 96 * KB,
  bundleBytesMin: 4 * KB,
  bundleBytesMax: MB,
  /** Of a packet at the broker, for what is around the data: topic, properties, the reply's own fields. */
  packetOverheadBytes: 2 * KB,
  modelsListedMax: 200,
  /** One answer of a listing, whatever its records hold. */
  listRecordsMax: 50,
  listBytesMax: 32 * KB,
  labelsListedMax: 8,
  owedListedMax: 32,
  listedErrorCharsMax: 120,
  /** Records that one request names. */
  recordsNamedMax: 64,
  /** A gateway that is to be silent for longer is taken out of service. */
  pauseMaxMs: 90 * 24 * 60 * 60_000,
  /** Bytes a second: a picture in a minute or two, and more than any uplink of a gateway. */
  uploadLimitMin: 1_024,
  uploadLimitMax: 1_000_000_000,
  /** Below `commandTimeoutMs`: what the target says reaches the caller. */
  targetTestTimeoutMs: 20_000,
  /** A long download says how far it is this often. */
  progressEveryMs: 5_000,
  /** A log that is turned up and forgotten fills a disk. */
  logLevelForMaxMs: 7 * 24 * 60 * 60_000,
  /** Records that were kept are told together, at most this often. */
  keptEventEveryMs: 10_000,
  /** Commands sent within a day of silence still arrive. */
  sessionExpirySeconds: 24 * 60 * 60,
  /** A short loss of the connection is no news. */
  willDelaySeconds: 15,
  /** Of two devices with one name the one that notices leaves the other alone for this long. */
  cloneHoldMs: 10 * 60_000,
  /** Then the other one has this long, beyond the longest pause between two tries, to show that it is still there. */
  cloneLookExtraMs: 30_000,
  /** Brokers that refuse smaller messages for their size are of no use; what is smaller is not suspected of it. */
  suspectBytesMin: 4 * KB,
  /** A broker that closes the connection over a message does so while it arrives, not minutes later. */
  suspectWithinMs: 10_000,
  /** Connections that one message may end before it is given up. A broker restarted at the wrong moment ends one or two. */
  letterTriesMax: 4,
  /** Refused sizes are tried again after this: someone may have raised the limit. */
  refusedSizeForgetMs: 24 * 60 * 60_000,
  /** 3.1.1 does not say what a broker throws away; the copy of a large reply comes this long after the next ping's answer. */
  echoMs: 1_000,
  /** Filters that the broker has refused are asked for again. */
  resubscribeMs: 10 * 60_000,
  /** Replies, and what devices keep at the broker, as they come to a shell: of the largest fleet, with a few KB each. */
  fleetMessagesMax: 30_000,
  groupsMax: 16,
  keysMax: 32,
  /** A camera that runs gives a picture in seconds; a webcam may warm up for 30 s, and its program take 10 s more. */
  pictureWaitMs: 60_000,
  /** A watched folder may rightly stay empty for days; what lies there is taken once it has settled, within 2 s. */
  folderWaitMs: 5_000,
  /** A driver that is started anew shows a picture within 15 s as a rule. */
  reopenWaitMs: 30_000,
  /** The state of a camera that somebody waits for is looked at this often. */
  cameraLookMs: 100,
  /** Of one burst: records of requests are the last to be given up, so that they must not fill the spool. */
  burstFramesMax: 100,
  burstMaxMs: 10 * 60_000,
  /** Of a JPEG in a reply: one of 12 MP is for the targets, and replies wait for the broker in memory. */
  inlineBytesMax: 512 * KB,
  /** Of a packet to a broker that does not tell its limit (3.1.1): the lowest of the known ones, AWS IoT's. */
  unknownPacketBytesMax: 128 * KB,
  /** Of one change of the config, in replies and events; a usual one has three. */
  changedPathsMax: 64,
} as const;

export const discoveryLimits = {
  /** What drifts all the time (memory, ages, counters) is said no more often: Home Assistant stores each value for days. */
  driftEveryMs: 30_000,
  /** Of one camera: a glance at what is kept, not a film. */
  pictureEveryMs: 30_000,
  pictureBytesMin: 4 * KB,
  pictureBytesMax: MB,
  /** Of a packet, for what is no picture: topic and properties. */
  packetOverheadBytes: 512,
  /** When Home Assistant starts, all devices of a house answer. */
  announceSpreadMs: 5_000,
  /** What was published last, for 64 cameras and 64 targets with nine entities each. */
  publishedFileBytesMax: 256 * KB,
  /** A plain payload of Home Assistant's is a word or a number. */
  payloadCharsMax: 256,
  /** Of a camera's interval in seconds: a week is the longest that anybody will set with a slider or a field. */
  intervalSecondsMax: 7 * 24 * 60 * 60,
} as const;
