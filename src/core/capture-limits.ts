/** Bounds of cameras, and of what looks for them; the others: `limits.ts`. */

import { KB, MB } from "./units.ts";

export const captureLimits = {
  /** Below this no camera's JPEG of a useful size fits; catches empty and cut files. */
  jpegBytesMin: 128,
  /** A 12 MP JPEG at quality 100 is about 8 MB; four times that is damage or an attack. */
  jpegBytesMax: 32 * MB,
  /** No sensor on a gateway exceeds it; bounds decode memory. */
  sideMaxPixels: 16_384,
  /** A camera that shows nothing for this long after its start has failed to start. */
  startTimeoutMs: 15_000,
  /** The no-frame watchdog is five periods, never under 5 s: rpicam-vid restarts a timed-out sensor by itself. */
  watchdogMinMs: 5_000,
  watchdogPeriods: 5,
  /** Of a stream whose own period nobody knows, as many intervals, but no more than this. */
  watchdogUnknownMaxMs: 60_000,
  backoffFirstMs: 1_000,
  backoffMaxMs: 60_000,
  /** Of the first delay: the shortest pause before a restart, whatever the jitter. */
  backoffLeastShare: 0.25,
  /** After this long without a fault the next fault starts from the first delay again. */
  healthyAfterMs: 30_000,
  /** A camera that is lost for the same reason again within this time is a line for debugging only. */
  sameLossAgainMs: 10 * 60_000,
  /** Schedules are looked at no less often: the wall clock may be set at any moment. */
  scheduleLookMs: 30_000,
  /** 2025-01-01: an earlier time is that of a gateway without a battery clock before it reached a time source. */
  clockPlausibleFromMs: Date.UTC(2025, 0, 1),
  /** What is left of a pause is written this often: of a process that is killed so much of it does not count. */
  pauseWriteMs: 60_000,
  /** SIGINT first, then SIGKILL: rpicam-vid handles only SIGINT. */
  stopGraceMs: 2_000,
  /** A process that a program left behind outside of its group may hold its output open: it is let go after this. */
  outputGraceMs: 500,
  /** What is kept of a camera program's stderr for its error text. */
  stderrTailBytes: 4 * KB,
  /** Pictures that are the same to the byte for this long: no camera's noise allows it, and no camera takes longer for one. */
  frozenMs: 60_000,
  /** One bad picture is noise; this many in a row are a broken source. */
  badImagesInARowMax: 3,
  /** What a one-shot program may take to open its device, and to read each frame it skips or averages. */
  programTimeoutMs: 10_000,
  programFrameMs: 200,
  /** Names held in memory for a folder that is replayed (about 10 MB), and looked at in one scan of a watched one. */
  replayFilesMax: 100_000,
  watchFilesMax: 4_096,
  /** Folders below one, as cameras make them (`/camera/2026-11-21/001/jpg/10/30/`), and how many of one look. */
  folderDepthMax: 8,
  watchFoldersMax: 2_048,
  /** Of them, those whose events are heard; a user may have 8,192 watches on small systems. */
  watchedFoldersMax: 64,
  /** A dated folder that was empty for this long gets no more pictures. */
  emptyFolderMs: 24 * 60 * 60_000,
  /** A file in a watched folder is taken once it has not changed for this long, unless it was renamed into place. */
  watchSettleMs: 2_000,
  /** Network mounts send no events, and inotify drops them when its queue is full. */
  watchRescanMs: 5_000,
  /** A scan follows an event this much later: an upload is hundreds of events. */
  watchQuietMs: 50,
  /** An upload that stood still for this long never ends: the file is set aside. */
  watchAbandonedMs: 60_000,
  /** Reserved on the disk for the picture that a camera program writes: one of 12 MP at quality 100. */
  scratchBytes: 8 * MB,
  /** Of a command in the config. */
  argumentsMax: 256,
  /** Files set aside are kept for a look at them, the oldest go first. */
  rejectedFilesMax: 256,
  /** A camera nearby accepts within milliseconds; over weak Wi-Fi, two lost packets cost 3 s. */
  httpConnectMs: 5_000,
  /** Silence inside a picture: cameras send it whole, once they have made it. */
  httpIdleMs: 5_000,
  /** A connection is kept for the next picture; one that the camera has closed meanwhile costs one more try. */
  httpUnusedMs: 30_000,
  httpRedirectsMax: 3,
  /** Of an answer that is no picture, what is read to find its title, and what of that is shown. */
  httpPageBytesMax: 16 * KB,
  httpTitleCharsMax: 80,
} as const;

export const discoverLimits = {
  /** A listing takes some 50 ms, of a Raspberry Pi's cameras a second or two: each is configured in every mode. */
  programTimeoutMs: 10_000,
  /** Far more than the longest listing of a camera's formats. */
  programOutputBytesMax: 256 * KB,
  /** Of one camera, and of one format: what a person can read, and more than any camera has. */
  formatsMax: 32,
  sizesMax: 128,
  ratesMax: 32,
  camerasMax: 64,
  /** Devices answer a probe within 500 ms by its standard; cheap ones take seconds. */
  onvifProbeMs: 5_000,
  onvifProfilesMax: 16,
  /** A device's answers are some 10 KB. */
  onvifAnswerBytesMax: MB,
  onvifCallTimeoutMs: 5_000,
  /** All questions to one device: about six, and two for each profile. */
  onvifDeviceTimeoutMs: 30_000,
} as const;
