import { resolve } from "node:path";
import { AgentError } from "../../../src/core/errors.ts";
import { checkValueOf, keyOf } from "../../../src/spool/cipher.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { ExportFolder } from "../../export-folder.ts";
import { progressBar } from "../../progress.ts";
import { withQueue } from "../../queue-access.ts";
import { type Imported, importRecords } from "../../records-in.ts";
import { loadSettings } from "../../settings.ts";
import { counted, sizeText } from "../../terminal.ts";

export interface QueueImportOptions {
  /** `THERE=HERE` each. */
  readonly as: readonly string[];
  readonly dropUnknown?: true;
}

/** Moves the records of an export folder into the spool. Ended early it goes on where it ended when it is repeated. */
export async function queueImport(
  context: CommandContext,
  folder: string,
  options: QueueImportOptions,
): Promise<ExitCode> {
  const { terminal, signal, json } = context;
  const settings = await loadSettings(context);
  const { targets, spool } = settings.config;
  const renamed = new Map(options.as.map(renamingOf));
  const keyCheck = spool.encryption === undefined ? undefined : checkValueOf(keyOf(spool.encryption.key));
  const patient = { ...context, signal: new AbortController().signal };
  const done = await withQueue(patient, settings, async (queue) => {
    const opened = await ExportFolder.forImport(resolve(folder));
    return await importRecords(queue, opened, {
      targetIds: new Set(targets.map(({ id }) => id)),
      renamed,
      dropUnknown: options.dropUnknown === true,
      keyCheck,
      signal,
      onProgress: ({ moved, alreadyThere, skipped, unwanted, bytes }, total) =>
        terminal.status(
          `${progressBar(moved + alreadyThere + skipped + unwanted, total)}  ${moved}/${total} imported, ${sizeText(bytes)}`,
        ),
      onSkipped: (id, why) => terminal.note(`${id}: ${why}; left where it is`),
    });
  });
  const { failure, ...figures } = done;
  if (json) terminal.data(JSON.stringify(figures));
  else for (const line of textLines(done, folder)) terminal.data(line);
  if (failure !== undefined) throw failure;
  return done.skipped > 0 ? exitCodes.failed : exitCodes.ok;
}

function textLines(done: Imported, folder: string): readonly string[] {
  const further: readonly (readonly [number, string])[] = [
    [done.alreadyThere, "taken in before, and only removed there"],
    [done.unwanted, "left there, owed to no target of the config"],
    [done.skipped, "left there, damaged"],
  ];
  const touched = done.moved + done.alreadyThere + done.unwanted + done.skipped;
  if (touched === 0 && done.failure === undefined) return [`nothing to import: no records in ${folder}`];
  return [
    `${counted(done.moved, "record")}, ${sizeText(done.bytes)}, moved from ${folder}`,
    ...further.filter(([count]) => count > 0).map(([count, what]) => `${counted(count, "record")} ${what}`),
    ...(done.dropped > 0 ? [`${done.dropped} deliveries given up, to targets that the config does not have`] : []),
  ];
}

function renamingOf(text: string): readonly [there: string, here: string] {
  const [, there, here] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (there !== undefined && here !== undefined) return [there, here];
  throw new AgentError("USAGE_IMPORT", `--as ${text}: expected THERE=HERE, two ids of targets`, {
    disposition: "fatal",
  });
}
