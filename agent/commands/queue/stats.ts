import type { DeliveryHealth } from "../../../src/core/health.ts";
import type { TargetBacklog } from "../../../src/core/ports.ts";
import type { QueueStats } from "../../../src/core/queue.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { withQueue } from "../../queue-access.ts";
import { loadSettings } from "../../settings.ts";
import { counted, sizeText, textTable } from "../../terminal.ts";

export async function queueStats(context: CommandContext): Promise<ExitCode> {
  const settings = await loadSettings(context);
  const stats = await withQueue(context, settings, async (queue) => await queue.stats());
  const lines = context.json ? [JSON.stringify(stats)] : textOf(stats);
  for (const line of lines) context.terminal.data(line);
  return exitCodes.ok;
}

function textOf(stats: QueueStats): readonly string[] {
  const { records, bytes, lastSequence, encrypted, damaged, missing } = stats;
  return [
    `${counted(records, "record")}, ${sizeText(bytes)}, last sequence ${lastSequence}`,
    ...(encrypted > 0 ? [`${encrypted} of them encrypted`] : []),
    ...targetLines(stats),
    ...limitLines(stats),
    ...(damaged + missing > 0 ? [`lost for every target: ${damaged} damaged, ${missing} missing`] : []),
    ...lossLines(stats),
  ];
}

/** Also the targets that are owed nothing yet, where a daemon tells of them. */
function targetLines({ targets, deliveries = [] }: QueueStats): readonly string[] {
  const known = new Set(targets.map(({ targetId }) => targetId));
  const unowed = deliveries
    .filter(({ targetId }) => !known.has(targetId))
    .map(({ targetId }): TargetBacklog => ({ targetId, pending: 0, leased: 0, quarantined: 0, accepted: 0 }));
  const all = [...targets, ...unowed];
  if (all.length === 0) return [];
  const states = all.map((backlog) => stateText(backlog, deliveries));
  const shown = states.some((state) => state !== "");
  const rows = all.map(({ targetId, pending, leased, quarantined, accepted }, at) => {
    const figures = [targetId, pending, leased, quarantined, accepted];
    return shown ? [...figures, states[at] ?? ""] : figures;
  });
  const head = ["target", "pending", "leased", "quarantined", "accepted"];
  return textTable(shown ? [...head, "delivery"] : head, rows);
}

/** What is known of a target's delivery; nothing where no daemon runs. */
function stateText({ targetId, removedForMs }: TargetBacklog, deliveries: readonly DeliveryHealth[]): string {
  if (removedForMs !== undefined) return "removed from the config";
  if (deliveries.length === 0) return "";
  const health = deliveries.find((delivery) => delivery.targetId === targetId);
  return health === undefined ? "not configured" : healthText(health);
}

function limitLines({ upload }: QueueStats): readonly string[] {
  const limit = upload?.limitBytesPerSecond;
  const { dayBytesLeft, dayBytesMax = 0, monthBytesLeft, monthBytesMax = 0 } = upload?.budget ?? {};
  return [
    ...(limit === undefined ? [] : [`uploads are limited to ${sizeText(limit)} a second`]),
    ...(dayBytesLeft === undefined ? [] : [`${sizeText(dayBytesLeft)} of ${sizeText(dayBytesMax)} left today`]),
    ...(monthBytesLeft === undefined
      ? []
      : [`${sizeText(monthBytesLeft)} of ${sizeText(monthBytesMax)} left this month`]),
  ];
}

/** `up`, or why a target gets nothing: `away: NET_REFUSED, next try in 40 s`, `paused: 12 min left`, `window: opens in 90 min`. */
function healthText({ state, lastError, retryInMs, pausedForMs, opensInMs }: DeliveryHealth): string {
  if (state === "paused" && pausedForMs !== undefined) return `paused: ${Math.ceil(pausedForMs / 60_000)} min left`;
  if (opensInMs !== undefined) return `${state}: opens in ${Math.ceil(opensInMs / 60_000)} min`;
  if (state !== "away") return state;
  const next = retryInMs === undefined ? "trying now" : `next try in ${Math.ceil(retryInMs / 1_000)} s`;
  return `away: ${lastError === undefined ? "" : `${lastError.code}, `}${next}`;
}

function lossLines({ lost }: QueueStats): readonly string[] {
  if (lost.length === 0) return [];
  const rows = lost.map(({ targetId, priority, reason, deliveries }) => [targetId, reason, priority, deliveries]);
  return textTable(["lost for", "reason", "priority", "deliveries"], rows);
}
