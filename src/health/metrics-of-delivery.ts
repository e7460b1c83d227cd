import { figure, figures, type Metric, type Sample } from "./metric.ts";

/** From the spool to the targets: what waits, what was sent, what was lost. */

const ofTarget = (name: string) => ({ name, labels: ["target"] });

const spool: readonly Metric[] = [
  figure("gauge", "spool_records", "Records on disk", ({ report }) => report.spool?.records),
  figure("gauge", "spool_bytes", "What they take", ({ report }) => report.spool?.bytes),
  figure("gauge", "spool_max_bytes", "What they may take", ({ spoolBytesMax }) => spoolBytesMax),
  figure("gauge", "spool_oldest_age_seconds", "Age of the oldest record, in time that the agent ran", ({ report }) =>
    seconds(report.spool?.oldestAgeMs),
  ),
  figure(
    "gauge",
    "buffer_left_days",
    "Until the buffer is full if it fills as in the last hours; absent while it does not grow",
    ({ bufferDaysLeft }) => bufferDaysLeft,
  ),
  figure("gauge", "disk_free_bytes", "Free where the spool lies", ({ disk }) => disk?.freeBytes),
  figure("gauge", "disk_reserve_bytes", "What the spool leaves free there", ({ disk }) => disk?.reserveBytes),
];

const queues: readonly Metric[] = [
  figures("gauge", ofTarget("queue_records"), "Records that wait for a target", ({ report }) =>
    report.targets.map(({ targetId, pending }) => ({ labels: { target: targetId }, value: pending })),
  ),
  figures("gauge", ofTarget("queue_bytes"), "What they take on disk", ({ waiting }) =>
    waiting.map(({ targetId, bytes }) => ({ labels: { target: targetId }, value: bytes })),
  ),
  figures(
    "gauge",
    ofTarget("queue_oldest_age_seconds"),
    "Age of the oldest of them, in time that the agent ran; absent where nothing waits",
    ({ waiting }) => waiting.flatMap(({ targetId, oldestAgeMs }) => sample(targetId, seconds(oldestAgeMs))),
  ),
  figures("gauge", ofTarget("quarantined_records"), "Records set aside, which a person has to look at", ({ report }) =>
    report.targets.map(({ targetId, quarantined }) => ({ labels: { target: targetId }, value: quarantined })),
  ),
  figures(
    "counter",
    { name: "losses_total", labels: ["target", "reason"] },
    "Deliveries that will never be made, since the spool began",
    ({ report }) => losses(report.spool?.lost ?? []),
  ),
];

const uploads: readonly Metric[] = [
  figures(
    "gauge",
    ofTarget("target_up"),
    "1 while a target gets through; 0 while it is away, held back or off",
    (from) =>
      from.report.targets.map(({ targetId, state }) => ({
        labels: { target: targetId },
        value: state === "up" ? 1 : 0,
      })),
  ),
  figures(
    "counter",
    { name: "uploads_total", labels: ["target", "outcome", "code"] },
    "Tries to deliver a record: accepted, retry, or rejected for good",
    ({ report }) => report.targets.flatMap(({ targetId, outcomes = {} }) => outcomeSamples(targetId, outcomes)),
  ),
  figures("counter", ofTarget("uploaded_bytes_total"), "JPEG bytes of records that a target accepted", ({ report }) =>
    report.targets.map(({ targetId, acceptedBytes }) => ({ labels: { target: targetId }, value: acceptedBytes })),
  ),
];

const budget: readonly Metric[] = [
  figures(
    "gauge",
    { name: "upload_budget_left_bytes", labels: ["period"] },
    "Bytes on the line that are left of the day or the month; absent where no budget is set",
    ({ report: { upload } }) => [
      ...left("day", upload?.budget?.dayBytesLeft),
      ...left("month", upload?.budget?.monthBytesLeft),
    ],
  ),
];

export const metricsOfDelivery: readonly Metric[] = [...spool, ...queues, ...uploads, ...budget];

function sample(targetId: string, value: number | undefined): readonly Sample[] {
  return value === undefined ? [] : [{ labels: { target: targetId }, value }];
}

function left(period: string, bytes: number | undefined): readonly Sample[] {
  return bytes === undefined ? [] : [{ labels: { period }, value: bytes }];
}

function losses(
  lost: readonly { readonly targetId: string; readonly reason: string; readonly deliveries: number }[],
): readonly Sample[] {
  const sums = new Map<string, { target: string; reason: string; value: number }>();
  for (const { targetId, reason, deliveries } of lost) {
    const key = `${targetId} ${reason}`;
    sums.set(key, { target: targetId, reason, value: (sums.get(key)?.value ?? 0) + deliveries });
  }
  return [...sums.values()].map(({ value, ...labels }) => ({ labels, value }));
}

function outcomeSamples(target: string, outcomes: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(outcomes).map(([name, value]) => {
    const [outcome = "", code = ""] = name.split(" ", 2);
    return { labels: { target, outcome, code }, value };
  });
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}
