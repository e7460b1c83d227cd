import { AgentError, asAgentError } from "../src/core/errors.ts";
import { spoolLimits } from "../src/core/spool-limits.ts";
import type { HeldRecord, Queue } from "../src/core/queue.ts";
import type { ExportFolder } from "./export-folder.ts";

export interface ExportOptions {
  readonly targetId?: string;
  readonly recordsMax: number;
  /** Aborted: what is written is moved, the rest stays. */
  readonly signal: AbortSignal;
  readonly onProgress: (done: Exported) => void;
}

export interface Exported {
  moved: number;
  bytes: number;
  /** Damaged in the spool, where they are given up and counted, or taken back by it meanwhile. */
  skipped: number;
  /** Out of delivery and perhaps in the folder: the next export to it goes on with them. */
  held: number;
  /** Why it ended early. */
  failure?: Error;
}

type Mover = Pick<Queue, "hold" | "held" | "release" | "giveBack">;

/**
 * Moves records from the spool to a folder, a batch at a time: held first, then written and flushed, then released. A
 * record is given back only when this run held it and it is certain that it is not in the folder; what an earlier run
 * held may have been in it, and have been imported from it, since.
 */
export async function exportRecords(queue: Mover, folder: ExportFolder, options: ExportOptions): Promise<Exported> {
  const { targetId, recordsMax, signal, onProgress } = options;
  const done: Exported = { moved: 0, bytes: 0, skipped: 0, held: 0 };
  const request = { exportId: folder.id, folder: folder.folder, ...(targetId === undefined ? {} : { targetId }) };
  try {
    for (;;) {
      const left = signal.aborted ? 0 : recordsMax - done.moved;
      // Also when nothing is left to hold: it makes the releases durable.
      const batch = await queue.hold({ ...request, recordsMax: Math.min(left, spoolLimits.collectRecords) });
      if (batch.length === 0) break;
      await moveBatch(queue, folder, batch, done, signal);
      onProgress(done);
    }
    signal.throwIfAborted();
  } catch (error) {
    done.failure = errorOf(error);
  }
  return done;
}

async function moveBatch(
  queue: Mover,
  folder: ExportFolder,
  batch: readonly HeldRecord[],
  done: Exported,
  signal: AbortSignal,
): Promise<void> {
  const written: { readonly record: HeldRecord; readonly bytes: number }[] = [];
  const left = [...batch];
  let failure: Error | undefined;
  for (let record = left[0]; record !== undefined && !signal.aborted; record = left[0]) {
    try {
      const bytes = await copy(queue, folder, record);
      if (bytes === undefined) done.skipped += 1;
      else written.push({ record, bytes });
    } catch (error) {
      failure = errorOf(error);
      break;
    }
    left.shift();
  }
  done.held = batch.length;
  try {
    await folder.flush();
    for (const { record, bytes } of written) {
      const refused = await refusalOfRelease(queue, folder, record);
      failure ??= refused;
      if (refused !== undefined) continue;
      done.moved += 1;
      done.bytes += bytes;
    }
    done.held = left.length - (await giveBack(queue, folder, left));
  } catch (error) {
    failure ??= errorOf(error);
  }
  if (failure !== undefined) throw failure;
}

/** Its bytes; undefined when there is no such record to move any more. */
async function copy(queue: Mover, folder: ExportFolder, { sequence, id }: HeldRecord): Promise<number | undefined> {
  try {
    const moved = await queue.held(sequence);
    await folder.write(id, moved);
    return moved.envelope.length;
  } catch (error) {
    if (isCoded(error, "SPOOL_NOT_HELD")) await folder.takeBack(id);
    else if (!isCoded(error, "RECORD_UNREADABLE")) throw error;
    return undefined;
  }
}

/** When the spool owes it again (its index was lost meanwhile, or somebody asked for it) it must not be in the folder as well. */
async function refusalOfRelease(
  queue: Mover,
  folder: ExportFolder,
  { sequence, id }: HeldRecord,
): Promise<Error | undefined> {
  try {
    await queue.release(sequence);
    return undefined;
  } catch (error) {
    if (!isCoded(error, "SPOOL_NOT_HELD")) throw error;
    await folder.takeBack(id);
    await folder.flush();
    return errorOf(error);
  }
}

/** How many were given back. */
async function giveBack(queue: Mover, folder: ExportFolder, left: readonly HeldRecord[]): Promise<number> {
  const own = left.filter(({ heldBefore }) => !heldBefore);
  if (own.length === 0) return 0;
  for (const { id } of own) await folder.takeBack(id);
  await folder.flush();
  await queue.giveBack(own.map(({ sequence }) => sequence));
  return own.length;
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : asAgentError(error, "export");
}

function isCoded(error: unknown, code: string): boolean {
  return error instanceof AgentError && error.code === code;
}
