import { spoolLimits } from "../core/spool-limits.ts";
import type { SpoolListing } from "../core/ports.ts";
import type { ListPage } from "../core/queue.ts";
import type { IndexClient } from "./index/client.ts";
import type { RecordReader } from "./reader.ts";

/** One page of records with what is owed of them, oldest first. Those that turn out damaged or gone are left out. */
export async function listRecords(
  index: IndexClient,
  reader: RecordReader,
  { afterSequence, recordsMax, ...selection }: ListPage,
): Promise<readonly SpoolListing[]> {
  const wanted = Math.min(recordsMax, spoolLimits.listRecordsMax);
  const listed: SpoolListing[] = [];
  let after = afterSequence;
  while (listed.length < wanted) {
    const rows = await index.call("list", after, wanted - listed.length, selection);
    for (const { sequence, deliveries } of rows) {
      after = sequence;
      const reading = await reader.record(sequence);
      if (reading.kind === "record") listed.push({ record: reading.record, deliveries });
    }
    if (rows.length === 0) break;
  }
  return listed;
}
