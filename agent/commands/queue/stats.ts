import type { DeliveryHealth } from "../../../src/core/health.ts";
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
    ...(damaged + missing > 0 ? [`lost for every target: ${damaged} damaged, ${missing} missing`] : []),
    ...lossLines(stats),
  ];
}

/** Also the targets that are owed nothing yet, where a daemon tells of them. */
function targetLines({ targets, deliveries = [] }: QueueStats): readonly string[] {
  const known = new Set(targets.map(({ targetId }) => targetId));
  const unowed = deliveries
    .filter(({ targetId }) => !known.has(targetId))
    .map(({ targetId }) => ({ targetId, pending: 0, leased: 0, quarantined: 0, accepted: 0 }));
  const rows = [...targets, ...unowed].map(({ targetId, pending, leased, quarantined, accepted }) => {
    const delivery = deliveries.find((health) => health.targetId === targetId);
    const figures = [targetId, pending, leased, quarantined, accepted];
    return deliveries.length === 0
      ? figures
      : [...figures, delivery === undefined ? "not configured" : stateText(delivery)];
  });
  const head = ["target", "pending", "leased", "quarantined", "accepted"];
  if (rows.length === 0) return [];
  return textTable(deliveries.length === 0 ? head : [...head, "delivery"], rows);
}

/** `up`, or why a target gets nothing: `away: NET_REFUSED, next try in 40 s`. */
function stateText({ state, lastError, retryInMs }: DeliveryHealth): string {
  if (state !== "away") return state;
  const next = retryInMs === undefined ? "trying now" : `next try in ${Math.ceil(retryInMs / 1_000)} s`;
  return `away: ${lastError === undefined ? "" : `${lastError.code}, `}${next}`;
}

function lossLines({ lost }: QueueStats): readonly string[] {
  if (lost.length === 0) return [];
  const rows = lost.map(({ targetId, priority, reason, deliveries }) => [targetId, reason, priority, deliveries]);
  return textTable(["lost for", "reason", "priority", "deliveries"], rows);
}
