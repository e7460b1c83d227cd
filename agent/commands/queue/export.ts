import { realpath } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { AgentError, errnoOf } from "../../../src/core/errors.ts";
import type { Queue, QueueStats } from "../../../src/core/queue.ts";
import { Ulids } from "../../../src/core/ulid.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { ExportFolder } from "../../export-folder.ts";
import { exportingAlone } from "../../export-lock.ts";
import { progressBar } from "../../progress.ts";
import { withQueue } from "../../queue-access.ts";
import { type Exported, exportRecords } from "../../records-out.ts";
import { loadSettings, type Settings } from "../../settings.ts";
import { counted, sizeText } from "../../terminal.ts";
import { mustKnow } from "./selection.ts";

export interface QueueExportOptions {
  readonly target?: string;
  readonly limit?: number;
}

/** Moves records out of the spool. Ended early, by Ctrl-C or a full disk, it has moved what it says, and nothing else. */
export async function queueExport(
  context: CommandContext,
  folder: string,
  options: QueueExportOptions,
): Promise<ExitCode> {
  const { terminal, clock, random, signal, json } = context;
  const settings = await loadSettings(context);
  await mustLieOutside(folder, settings);
  const recordsMax = options.limit ?? Infinity;
  // What is under way when Ctrl-C comes is still ended in the spool.
  const patient = { ...context, signal: new AbortController().signal };
  const { target: targetId } = options;
  const move = async (queue: Queue): Promise<readonly [Exported, number | undefined]> => {
    const stats = await queue.stats();
    mustKnow(targetId, settings, stats);
    const about = { id: new Ulids(clock, random).next(), atMs: clock.nowMs() };
    const opened = await ExportFolder.forExport(resolve(folder), about);
    const total = Math.min(recordsMax, targetId === undefined ? stats.records : owedTo(stats, targetId));
    const onProgress = ({ moved, bytes }: Exported) =>
      terminal.status(`${progressBar(moved, total)}  ${moved}/${total} exported, ${sizeText(bytes)}`);
    const target = targetId === undefined ? {} : { targetId };
    const exported = await exportRecords(queue, opened, { ...target, recordsMax, signal, onProgress });
    const { records } = await queue.stats().catch(() => ({ records: undefined }));
    return [exported, records];
  };
  const [done, left] = await withQueue(
    patient,
    settings,
    async (queue) => await exportingAlone(settings.dataFolder, async () => await move(queue)),
  );
  const { failure, ...figures } = done;
  if (json) terminal.data(JSON.stringify({ ...figures, left: left ?? null }));
  else for (const line of textLines(done, folder, left)) terminal.data(line);
  if (failure !== undefined) throw failure;
  return exitCodes.ok;
}

function owedTo({ targets }: QueueStats, targetId: string): number {
  const { pending = 0, quarantined = 0 } = targets.find((target) => target.targetId === targetId) ?? {};
  return pending + quarantined;
}

function textLines(done: Exported, folder: string, left: number | undefined): readonly string[] {
  const stay = left === undefined ? "" : `; ${counted(left, "record")} left in the spool`;
  const { moved, skipped, held, failure } = done;
  if (moved + skipped + held === 0 && failure === undefined) return [`nothing to export${stay}`];
  return [
    `${counted(moved, "record")}, ${sizeText(done.bytes)}, moved to ${folder}${stay}`,
    ...(skipped > 0 ? [`${counted(skipped, "damaged record")} given up`] : []),
    ...(held > 0
      ? [
          `${counted(held, "record")} held: the next export to this folder goes on with them; until then they are not sent`,
        ]
      : []),
  ];
}

/** Fails with `USAGE_EXPORT` where the folder lies in the data folder: there it would fill the disk that it is to relieve. */
async function mustLieOutside(folder: string, { dataFolder }: Settings): Promise<void> {
  const [exported, data] = [await realPathOf(folder), await realPathOf(dataFolder)];
  if (exported !== data && !exported.startsWith(`${data}${sep}`)) return;
  throw new AgentError("USAGE_EXPORT", `export to ${folder}: it lies in the data folder; name one elsewhere`, {
    disposition: "fatal",
  });
}

/** Also of what is not there yet: its links are those of the folders above. */
async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch (error) {
    const above = dirname(absolute);
    if (errnoOf(error) !== "ENOENT" || above === absolute) return absolute;
    return join(await realPathOf(above), absolute.slice(above.length));
  }
}
