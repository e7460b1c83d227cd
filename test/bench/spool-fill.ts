import { mkdirSync, writeFileSync } from "node:fs";
import { SystemClock } from "../../src/core/clock.ts";
import { Ulids } from "../../src/core/ulid.ts";
import { draftEnvelope, sealEnvelope } from "../../src/spool/envelope.ts";
import { envelopePath, layoutOf, shardOf, shardPath } from "../../src/spool/layout.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { seededRandom } from "../lib/seams.ts";
import { runProgram } from "../lib/shell.ts";

/**
 * Puts envelopes into an empty spool as fast as the disk takes them: no index, which the spool then rebuilds, and one flush
 * at the end, for what the kernel still has to write would slow down whatever is measured next.
 */
export async function fillSpool(
  folder: string,
  records: number,
  sizeBytes: number,
  owedTo: readonly string[],
): Promise<void> {
  const layout = layoutOf(folder);
  const ulids = new Ulids(new SystemClock(), seededRandom(1));
  const jpeg = imageOf(sizeBytes);
  let made = -1;
  for (let sequence = 1; sequence <= records; sequence += 1) {
    if (shardOf(sequence) > made) {
      made = shardOf(sequence);
      mkdirSync(shardPath(layout, made), { recursive: true });
    }
    const record = {
      ...draftOf(),
      id: ulids.next(),
      name: `gw-bench000-${sequence}.jpg`,
      device: "gw",
      sequence,
      imageBytes: jpeg.length,
      imageSha256: "0".repeat(64),
    };
    const parts = await sealEnvelope(jpeg, draftEnvelope(jpeg, { record, owedTo }, Date.now()), undefined);
    writeFileSync(envelopePath(layout, sequence), Buffer.concat(parts));
  }
  runProgram("sync", "-f", folder);
}
