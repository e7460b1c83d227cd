import { writeSync } from "node:fs";
import { SystemClock } from "../../src/core/clock.ts";
import { openSpool } from "./disk-spool.ts";
import { exportTo, importFrom } from "./moves.ts";

/**
 * Moves records between a spool and a folder until it is killed or done; says on stdout when it begins.
 *
 * Arguments: `export` or `import`, folder of the spool, export folder.
 */
async function main(what: string, spoolFolder: string, folder: string): Promise<void> {
  await using opened = await openSpool(spoolFolder, { clock: new SystemClock(), device: what });
  const { queue } = opened.spool;
  writeSync(1, "ready\n");
  const done = what === "export" ? await exportTo(queue, folder) : await importFrom(queue, folder);
  if (done.failure !== undefined) throw done.failure;
}

const [what, spoolFolder, folder] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename && what !== undefined) {
  await main(what, spoolFolder ?? "", folder ?? "");
}
