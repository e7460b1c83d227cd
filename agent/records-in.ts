import { AgentError, asAgentError } from "../src/core/errors.ts";
import type { MovedDelivery, Queue } from "../src/core/queue.ts";
import type { ExportFolder, RecordState } from "./export-folder.ts";

export interface ImportOptions {
  /** Those of the config. */
  readonly targetIds: ReadonlySet<string>;
  /** Other names of targets here, by their names there. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Gives up what is owed to targets that the config does not have. */
  readonly dropUnknown: boolean;
  /** Of the key that is configured here. */
  readonly keyCheck: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (done: Imported, total: number) => void;
  readonly onSkipped: (id: string, why: string) => void;
}

export interface Imported {
  moved: number;
  bytes: number;
  /** Taken in by an earlier import. */
  alreadyThere: number;
  /** Damaged; left where they are. */
  skipped: number;
  /** Owed to nobody here; left where they are. */
  unwanted: number;
  /** Deliveries of what was moved that were given up, for targets that are not here. */
  dropped: number;
  /** Why it ended early. */
  failure?: Error;
}

/**
 * Moves the records of a folder into the spool, oldest first, each removed from the folder once the spool has it for good.
 * What can be refused is refused before anything moves. Repeating it never takes a record in twice.
 */
export async function importRecords(
  queue: Pick<Queue, "takeIn">,
  folder: ExportFolder,
  options: ImportOptions,
): Promise<Imported> {
  const done: Imported = { moved: 0, bytes: 0, alreadyThere: 0, skipped: 0, unwanted: 0, dropped: 0 };
  await folder.endRemovals();
  const ids = await folder.ids();
  await mustBeWelcome(folder, ids, options);
  try {
    for (const id of ids) {
      options.signal.throwIfAborted();
      await importOne(queue, folder, id, options, done);
      options.onProgress(done, ids.length);
    }
  } catch (error) {
    done.failure = error instanceof Error ? error : asAgentError(error, "import");
  }
  return done;
}

const ownFaults: ReadonlySet<string> = new Set(["RECORD_UNREADABLE", "SPOOL_RECORD_TOO_LARGE"]);

async function importOne(
  queue: Pick<Queue, "takeIn">,
  folder: ExportFolder,
  id: string,
  options: ImportOptions,
  done: Imported,
): Promise<void> {
  const [state, envelope] = [await folder.state(id), await folder.envelope(id)];
  if (state === undefined || envelope === undefined) {
    done.skipped += 1;
    options.onSkipped(id, state === undefined ? "its state is damaged" : "its image is missing");
    return;
  }
  const deliveries = deliveriesHere(state.deliveries, options);
  if (deliveries.length === 0) {
    done.unwanted += 1;
    return;
  }
  try {
    const taken = await queue.takeIn({ ...state, envelope, deliveries });
    await folder.remove(id);
    if (!taken) {
      done.alreadyThere += 1;
      return;
    }
    done.moved += 1;
    done.bytes += envelope.length;
    done.dropped += state.deliveries.filter(({ targetId }) => hereOf(targetId, options) === undefined).length;
  } catch (error) {
    // Of this record alone: the others go on.
    if (!(error instanceof AgentError) || !ownFaults.has(error.code)) throw error;
    done.skipped += 1;
    options.onSkipped(id, error.message);
  }
}

/** All states are read before the first record moves: half an import is hard to take back. */
async function mustBeWelcome(folder: ExportFolder, ids: readonly string[], options: ImportOptions): Promise<void> {
  const missing = [...options.renamed.values()].filter((targetId) => !options.targetIds.has(targetId));
  if (missing.length > 0) throw unknownTargets(`--as names ${missing.join(", ")}`, options);
  const unknown = new Set<string>();
  for (const id of ids) {
    options.signal.throwIfAborted();
    const state = await folder.state(id);
    if (state === undefined) continue;
    mustHaveKey(state, options.keyCheck);
    for (const { targetId } of state.deliveries) if (hereOf(targetId, options) === undefined) unknown.add(targetId);
  }
  if (unknown.size > 0 && !options.dropUnknown) {
    throw unknownTargets(`its records are owed to ${[...unknown].sort().join(", ")}`, options);
  }
}

function mustHaveKey({ keyCheck }: RecordState, here: string | undefined): void {
  if (keyCheck === undefined || keyCheck === here) return;
  const why = here === undefined ? "no key is configured here" : "with another key than the one configured here";
  throw new AgentError("IMPORT_KEY", `import: its records are encrypted, ${why}`, { disposition: "fatal" });
}

function unknownTargets(what: string, { targetIds }: ImportOptions): AgentError {
  const known = [...targetIds].sort().join(", ") || "none";
  return new AgentError(
    "USAGE_IMPORT",
    `import: ${what}, and the config has ${known}; name theirs with --as THERE=HERE, or give up what is owed to others with --drop-unknown`,
    { disposition: "fatal" },
  );
}

function hereOf(targetId: string, { renamed, targetIds }: ImportOptions): string | undefined {
  const here = renamed.get(targetId) ?? targetId;
  return targetIds.has(here) ? here : undefined;
}

/** Two targets may become one: then what is still to be sent goes before what was set aside. */
function deliveriesHere(deliveries: readonly MovedDelivery[], options: ImportOptions): readonly MovedDelivery[] {
  const here = new Map<string, MovedDelivery>();
  for (const delivery of deliveries) {
    const targetId = hereOf(delivery.targetId, options);
    if (targetId === undefined) continue;
    if (here.get(targetId)?.state !== "pending") here.set(targetId, { ...delivery, targetId });
  }
  return [...here.values()];
}
