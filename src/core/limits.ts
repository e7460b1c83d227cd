/**
 * The bounds of what has no file of its own beside this one (`capture-limits.ts`, `spool-limits.ts`, …): each bound of the
 * system stands in one of them, with the reason for its number. Config may lower most of them, never remove one.
 */

import { KB, MB } from "./units.ts";

export const pipelineLimits = {
  /** Pictures that must be turned upright are encoded once more; at 95 the loss is below the camera's own. */
  uprightQuality: 95,
  /**
   * What the vision process may take for one frame, far beyond what its own deadlines add up to: three calls of 30 s, the
   * load of a model, 64 tiles of 5 s, and the calls of others that come first.
   */
  turnBusyMs: 15 * 60_000,
  /** Callers waiting for a picture of one camera. */
  requestsMax: 16,
  /** A camera port that fails instead of waiting is asked again after this. */
  cameraFailedMs: 1_000,
  /** A frame that may not be given up is tried again while the spool is full or the vision process away. */
  repeatFirstMs: 500,
  repeatMaxMs: 30_000,
  /** A full spool is asked again after this, doubling: soon enough for whoever waits, seldom enough to rest the detector. */
  pauseFirstMs: 1_000,
  pauseMaxMs: 5_000,
  /** Of one camera, for who asks why frames were kept or not: equal ones in a row are one. Some KB in all. */
  decisionsMax: 32,
} as const;

export const controlLimits = {
  /** Commands of one user at a terminal; each request may hold a record of 32 MB. */
  requestsMax: 4,
  connectionsMax: 16,
  /** A selection, a page, a name. */
  requestBytesMax: 64 * KB,
  /** What a moved record carries beside its file: at most some dozens of deliveries with cursors and errors. */
  movedJsonBytesMax: 256 * KB,
  /** A page of listings: metadata takes at most 256 KB a record, and some KB as a rule. */
  listRecordsMax: 100,
  answerBytesMax: 64 * MB,
  /** A whole request has to arrive in this time; both sides are on one machine. */
  requestTimeoutMs: 20_000,
  /** The longest step reads some hundred envelopes from a slow card, and may wait for an index that is rebuilt. */
  callTimeoutMs: 60_000,
  /** To load a model and prove it: a start of the vision process, twice where the first is slow, and the proof. */
  modelTimeoutMs: 180_000,
  /** Silence after which the daemon closes a connection: longer than any caller waits. */
  idleTimeoutMs: 75_000,
  /** A path of a Unix socket has 108 bytes in the kernel, the last one a zero. */
  pathBytesMax: 107,
} as const;

export const healthLimits = {
  /** Values kept of a series for its percentiles: enough for p50 and p95 to within a few percentiles. */
  samplesMax: 256,
  /** Names counted apart in one tally (labels, rules, reasons); the rest are counted as `other`. */
  tallyKeysMax: 256,
  /** From a fast PC to a large model on the smallest board; the time of the vision process' deadline is above all. */
  inferenceBucketsMs: [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000],
  /** The same trouble is logged at most this often; what was left out is counted in the next line. */
  logGateMs: 60_000,
  /** How fast the buffer fills is told from what it held over the last six hours: a day has a night. */
  forecastSampleMs: 5 * 60_000,
  forecastSamplesMax: 72,
  /** Shorter than this a few frames more or less would make it a matter of chance. */
  forecastSpanMinMs: 10 * 60_000,
  /** Of the file of metrics: what Prometheus asks for is seldom newer. */
  textfileEveryMs: 60_000,
  /** What was found out a moment ago is told again: whoever asks without end costs no more than whoever asks seldom. */
  answerKeptMs: 500,
} as const;

export const configLimits = {
  fileBytesMax: MB,
  camerasMax: 64,
  targetsMax: 32,
  keepRulesMax: 64,
  /** Of one schedule: four a day. */
  windowsMax: 28,
  secretBytesMax: 64 * KB,
  /** An unknown setting may hide others behind a union; no config nests more of them. */
  leaveOutRoundsMax: 8,
  /** What commands changed, and that of the version before and the one before it: three times a request, with room. */
  overlayBytesMax: 256 * KB,
} as const;

export const logLimits = {
  /** Longer texts are answers of servers and image data, which a log is no place for. */
  stringChars: 2 * KB,
  /** Secrets are searched for in this much of a text, so that a huge one costs a bounded time. */
  scannedChars: 64 * KB,
  stackLines: 12,
  causesMax: 3,
  depthMax: 6,
  /** Keys and items of one line, all levels together. */
  valuesMax: 200,
  /** Masking a shorter text would make the log unreadable and protect nothing. */
  secretCharsMin: 4,
  /** The same trouble again within this time is counted. A little less than parts keep their own repeats back for. */
  repeatMs: 55_000,
  /** Troubles told apart; beyond them the oldest is forgotten, once its count is said. */
  troublesMax: 256,
  /** Some 300 bytes each. An agent at work writes one or two a minute; the start of 64 cameras and 32 targets about 200. */
  linesPerMinuteMax: { troubles: 120, news: 300 },
  /** Kept in memory while stderr, which may be a file on a full disk, takes nothing. */
  unwrittenCharsMax: 256 * KB,
  /** Kept in memory for a support bundle: some hours of a quiet device, a minute of one in trouble. */
  ringLinesMax: 500,
  ringCharsMax: 256 * KB,
} as const;

export const clockLimits = {
  /** A look reads two clocks and the time of a file in memory. */
  lookMs: 10_000,
  /** Time sources step a clock that is off by 0.4 s to 1 s or more; below that they let it run faster or slower. */
  jumpMsMin: 1_000,
  /** While nothing says that the clock is right, timedatectl and chronyc are asked, each a process: later and later. */
  askFirstMs: 30_000,
  askMaxMs: 15 * 60_000,
  askTimeoutMs: 5_000,
  /** Of the latest boots, some 130 bytes each: three months of a gateway that is switched off every night and at noon. */
  anchorsMax: 256,
} as const;

export const stateLimits = {
  deviceBytesMax: 64 * KB,
  modelsBytesMax: 128 * KB,
  /** The pauses of `configLimits.camerasMax` cameras take 7 KB. */
  pausesBytesMax: 16 * KB,
  /** `clockLimits.anchorsMax` of them. */
  clockBytesMax: 64 * KB,
  /** A pause of each of 32 targets, and a limit. */
  uploadBytesMax: 16 * KB,
  /** A day and a month. */
  usageBytesMax: 4 * KB,
  /** Of one target: ids of labels and an open session. Rewritten whole at every change. */
  targetBytesMax: 16 * KB,
  /** Configs that worked, of so many versions of the agent: two updates back. */
  goodConfigsMax: 3,
  /** Of them together; JSON makes a line feed two bytes. One that is larger than its share is not kept. */
  goodConfigsBytesMax: 4 * MB,
  /** A config counts as good once the agent ran with it for this long. */
  goodAfterMs: 60_000,
  /** A newer version may allow its file so many times what this one does; it is looked into all the same. */
  newerBytesFactor: 8,
  /** A state file is written in milliseconds; what lies there for this long was left behind by a process that died. */
  leftoverAfterMs: 60_000,
} as const;

export const pulseLimits = {
  /** Where no service manager says otherwise. Longer than a worn memory card needs for the slowest of its writes. */
  periodMs: 120_000,
  /** Of the period: an event loop that comes later than this again and again serves nobody in time. */
  lagShareMax: 0.25,
} as const;

export const serviceLimits = {
  /** Messages to the service manager: a line of status a minute, two for the watchdog. */
  messagesWaitingMax: 16,
  /** A socket whose queue is full is asked again so often, every so much. */
  notifyTriesMax: 20,
  notifyAgainMs: 100,
  /** For the program \`systemd-notify\`, which takes 4 ms. */
  notifyProgramMs: 5_000,
  /** While the start takes long: how often it is said that it goes on, and how much longer each word lets it take. */
  extendEveryMs: 10_000,
  extendMs: 30_000,
  /** The index of a million records is built anew in minutes; a start that takes longer than this will not end. */
  extendForMs: 60 * 60_000,
  /** The line of status for people: as often as the health line of the log. */
  statusCharsMax: 200,
} as const;
