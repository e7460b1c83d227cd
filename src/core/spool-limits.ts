/** Bounds of the spool and of the disk below it, each with its reason. */

import { KB, MB } from "./units.ts";

export const spoolLimits = {
  /** Files in one folder of `data/`: an ext4 directory of this size stays one index block deep. */
  recordsPerShard: 4_096,
  metadataBytesMax: 256 * KB,
  cursorBytesMax: 512,
  /** Outcomes are flushed, and finished records unlinked, in groups: one flush of the index pays for the whole group. */
  collectRecords: 64,
  collectIntervalMs: 5_000,
  /** Finished envelopes that cannot be removed and are passed over; more of them mean that the disk refuses them all. */
  stuckFilesMax: 1_024,
  /** They are tried anew this often: on a dying disk each try may take seconds. */
  stuckAgainMs: 10 * 60_000,
  /** VERSION and id hold a few characters. */
  smallFileBytesMax: 64,
  /** Envelopes that are asked for the format where the folder does not say it. */
  formatSamplesMax: 16,
  /** The index is checked this long after a start that followed a crash: deliveries and the first upkeep come before. */
  checkDelayMs: 15_000,
  /** More files in flight gain nothing: the fsyncs of four already share one flush of the journal. */
  appendsInParallelMax: 4,
  /** Each waiting append holds a JPEG; cameras are paced, so a longer queue means a stuck disk. */
  appendsWaitingMax: 32,
  /** SHA-256 of this much takes 2 ms on a Raspberry Pi 4, the longest the main thread spends on a record. */
  hashHereBytesMax: 256 * KB,
  /** Requests to the index thread not yet answered; 32 targets and 64 cameras stay far below. */
  indexCallsMax: 1_024,
  /** Deaths of the index thread that are made good within the time below; one more, and a fresh process has to help. */
  indexDeathsMax: 3,
  indexDeathsWithinMs: 10 * 60_000,
  /** Deferred deliveries that become due in one lease: bounds the transaction after a long pause. */
  wakeRecordsMax: 1_000,
  /** Rows per transaction while the index is rebuilt from the files. */
  rebuildRecords: 500,
  /** The end of an envelope read at once: metadata of usual size and the trailer fit. */
  tailReadBytes: 8 * KB,
  /** Damaged envelopes kept for a person to look at; further ones are deleted and only counted. */
  damagedFilesMax: 16,
  /** An append changes six pages of the index or more, and each goes to the WAL whole: so they are small. */
  indexPageBytes: KB,
  /** The WAL is folded into the index at this size: that costs some flushes, and holds up the index's next answer. */
  walBytesMax: 4 * MB,
  /** Records never take the last bytes of a disk: settling needs them, for the WAL reaches 4 MB before it is folded in. */
  indexReserveBytes: 5 * MB,
  /** Given up when others fill the disk: enough for the index's shared memory (32 KB) and some 100 outcomes in the WAL. */
  reserveBytes: MB,
  /** Records tried with a key that the check value does not vouch for; some may be damaged, and one decrypted is enough. */
  keyProbesMax: 16,
  /** What other programs write in this time is part of the space that has to stay free. */
  freeSpaceKnownMs: 1_000,
  diskBlockBytes: 4 * KB,
  /** A record that the disk cannot read just now is passed over for this long. */
  unreadableDelayMs: 60_000,
  remoteIdCharsMax: 256,
  errorCharsMax: 300,
  listRecordsMax: 1_000,
  /** Rows that an operator's retry or drop changes in one transaction: some 20 ms in which an append waits. */
  changeRowsMax: 500,
  /** Records whose metadata is read in one such step that selects by camera or label: some 50 ms from a card. */
  matchRecordsMax: 200,
  /** Of a record that an operator puts first; above what any rule gives. */
  topPriority: 1_000,
  /** Records whose every byte is read in one step of a check; fewer where they are large. */
  verifyRecordsMax: 200,
  verifyBytesMax: 32 * MB,
  /** Deliveries counted at once in a check: some 700 KB. */
  countRowsMax: 20_000,
  /** Records searched in one request for an id, which no index holds: some 10 ms. */
  idsSearchedMax: 50_000,
  /** Envelopes read for a name that another spool gave: some seconds. */
  namesReadMax: 10_000,
  /** Ages, grace periods and shares are looked after this often, and not before the first deliveries are on their way. */
  upkeepFirstMs: 10_000,
  upkeepEveryMs: 45_000,
  /** Some weeks at one delivery a minute; about 10 MB of index. */
  sentEntriesMax: 50_000,
  /** Of one record that comes from elsewhere: 32 targets, and those that were configured before them. */
  movedDeliveriesMax: 128,
  /** Records from elsewhere that are known again: some 30 MB of index, and more than a stick of 16 GB holds. */
  importedMax: 200_000,
  /** 32 targets, 8 reasons and a few priorities stay below. */
  lossRowsMax: 1_024,
  /** Below a bound by this share of it after an eviction, and by so many records at most: one flush pays for them all. */
  evictShare: 0.05,
  evictSlackRecordsMax: 64,
  /** On a full disk fewer bring nothing: freeing one record at a time failed every fourth append that was measured. */
  evictWhenFullRecordsMin: 8,
  /** Given up in one request to the index thread: some 20 ms, for which leasing waits. */
  evictStepRecords: 256,
  /** Such requests for one append: a bound that the config has lowered is reached over several. */
  evictStepsMax: 4,
  /** Records whose files are gone and whose rows a full disk does not let go; no more are evicted before these are. */
  evictedRowsMax: 4_096,
  /** Quarantined deliveries looked at in one eviction, for records that are owed to nobody else. */
  quarantineScanRows: 1_024,
  /** Stretches of time compared for each record that thinning gives up: it comes from the densest of them. */
  thinProbes: 4,
  thinProbesMin: 128,
  /** Records count as being evicted for this long after the last one was. */
  evictingMs: 5 * 60_000,
  defaultQuarantineShare: 0.05,
  defaultQuarantineAgeMs: 7 * 24 * 60 * 60_000,
  /** Long enough for a target to come back that was taken out by mistake, or for a while. */
  defaultRemovedTargetsAfterMs: 7 * 24 * 60 * 60_000,
  /** Given up in one transaction: each touches several pages of the index. */
  giveUpDeliveries: 500,
  /** A backfill reads the metadata of so many records between two transactions, and takes so many steps in a row. */
  backfillRecords: 200,
  backfillStepsMax: 50,
  defaultBytesMax: 2_048 * MB,
  defaultRecordsMax: 1_000_000,
  defaultFreeBytesMin: 256 * MB,
} as const;

export const diskBudgetLimits = {
  /** Of the budget: a data set or a download that fills the disk must not end the buffering of records. */
  recordsShareMin: 0.25,
} as const;
