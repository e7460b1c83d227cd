import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../core/errors.ts";
import { spoolLimits } from "../core/spool-limits.ts";
import type { EnvelopeFiles } from "./files.ts";
import { type Layout, sequenceOfName, shardOfName, shardPath } from "./layout.ts";
import { replaceFile, textOf } from "./small-files.ts";

const spoolFormat = 1;

/** Who said that the folder is of a format that we know. `envelopes`: the folder had to ask its records. */
export type FormatSource = "version" | "new" | "envelopes";

/**
 * Refuses a folder of another format with `SPOOL_FORMAT_UNKNOWN`. Any version writes a number into VERSION, so anything
 * else there (nothing, zeros, garbage) is damage and says nothing about the format. In an empty folder that is no matter:
 * a power cut during the very first start. Where there are records they are asked: each envelope carries its own version.
 */
export async function ensureFormat(layout: Layout, files: Pick<EnvelopeFiles, "readMetadata">): Promise<FormatSource> {
  const { folder, version } = layout;
  const text = (await textOf(version))?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) {
    if (Number(text) === spoolFormat) return "version";
    throw unknownFormat(folder, `its format is ${text}`);
  }
  const newest = await newestSequences(layout);
  for (const sequence of newest ?? []) {
    // One that cannot be read has nothing to say; what becomes of it is decided later.
    const reading = await files.readMetadata(sequence).catch(() => undefined);
    if (reading === undefined || reading.ok || reading.damage !== "unknown version") continue;
    throw unknownFormat(folder, `its VERSION says nothing, and record ${sequence} is of another format`);
  }
  await replaceFile(version, `${spoolFormat}\n`);
  return newest === undefined ? "new" : "envelopes";
}

/**
 * `folder`, or where a newer version of the program has made its spool there, the one beside it that this version may use:
 * the newer one's records wait untouched until that is back.
 */
export async function spoolFolder(folder: string): Promise<{ readonly folder: string; readonly newerFormat?: number }> {
  const text = (await textOf(join(folder, "VERSION")))?.trim() ?? "";
  const isNewer = /^\d{1,9}$/.test(text) && Number(text) > spoolFormat;
  return isNewer ? { folder: `${folder}.v${spoolFormat}`, newerFormat: Number(text) } : { folder };
}

/** The newest records' in the newest shard that has any; undefined where there is no shard. */
async function newestSequences(layout: Layout): Promise<readonly number[] | undefined> {
  const shards = (await readdir(layout.data)).flatMap((name) => shardOfName(name) ?? []).sort((a, b) => b - a);
  for (const shard of shards) {
    const names = await readdir(shardPath(layout, shard)).catch(() => []);
    const sequences = names.flatMap((name) => sequenceOfName(name) ?? []).sort((a, b) => b - a);
    if (sequences.length > 0) return sequences.slice(0, spoolLimits.formatSamplesMax);
  }
  return shards.length === 0 ? undefined : [];
}

function unknownFormat(folder: string, why: string): AgentError {
  return new AgentError("SPOOL_FORMAT_UNKNOWN", `open ${folder}: ${why}, this version knows ${spoolFormat}`, {
    disposition: "fatal",
  });
}
