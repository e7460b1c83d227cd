import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { SpoolListing } from "../../src/core/ports.ts";
import type { Queue } from "../../src/core/queue.ts";
import { ExportFolder } from "../../agent/export-folder.ts";
import { type ImportOptions, type Imported, importRecords } from "../../agent/records-in.ts";
import { type Exported, type ExportOptions, exportRecords } from "../../agent/records-out.ts";
import { Ulids } from "../../src/core/ulid.ts";
import { SystemClock } from "../../src/core/clock.ts";

/** Moves between spools as the commands make them. */

const ids = new Ulids(new SystemClock(), Math.random);
const signal = new AbortController().signal;

export async function exportTo(queue: Queue, folder: string, options: Partial<ExportOptions> = {}): Promise<Exported> {
  const opened = await ExportFolder.forExport(folder, { id: ids.next(), atMs: Date.now() });
  return await exportRecords(queue, opened, { recordsMax: Infinity, signal, onProgress: () => undefined, ...options });
}

export async function importFrom(
  queue: Queue,
  folder: string,
  options: Partial<ImportOptions> = {},
): Promise<Imported> {
  return await importRecords(queue, await ExportFolder.forImport(folder), {
    targetIds: new Set(["a", "b"]),
    renamed: new Map(),
    dropUnknown: false,
    keyCheck: undefined,
    signal,
    onProgress: () => undefined,
    onSkipped: () => undefined,
    ...options,
  });
}

/** The records that lie whole in an export folder. */
export async function idsIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, "records")).catch(() => []);
  return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
}

export async function copyOf(folder: string): Promise<string> {
  await cp(folder, `${folder}-copy`, { recursive: true });
  return `${folder}-copy`;
}

export async function listingsOf(queue: Queue): Promise<readonly SpoolListing[]> {
  const listed: SpoolListing[] = [];
  for (let afterSequence = 0; ;) {
    const page = await queue.list({ afterSequence, recordsMax: 1_000 });
    listed.push(...page);
    const last = page.at(-1);
    if (last === undefined) return listed;
    afterSequence = last.record.sequence;
  }
}
