/**
 * Every bound of the system, with the reason for its number; those of the spool, platforms, remote control, web and privacy stand in files beside
 * this one. Config may lower most of them, never remove one.
 */

const KB = 1024;
const MB = 1024 * KB;

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
