import { createHash } from "node:crypto";
import { until } from "./poll.ts";
import { sampleDraft, sampleJpeg } from "./records.ts";
import { TransportBench } from "./transport-bench.ts";

/**
 * An agent's spool and delivery loop, for whoever kills them. Arguments: folder, address, and how many records it stores
 * first. Prints the hashes of their pictures once they are stored, and ends when all is delivered.
 */
const [folder = "", url = "", count = ""] = process.argv.slice(2);
await using bench = await TransportBench.open({ folder });
const hashes: string[] = [];
for (let n = 0; n < Number(count); n += 1) {
  const jpeg = sampleJpeg(process.pid * 10 + n, 200_000);
  await bench.spool.append(sampleDraft(), jpeg, ["town"]);
  hashes.push(createHash("sha256").update(jpeg).digest("hex"));
}
process.stdout.write(`${hashes.join(" ")}\n`);
await bench.town(url);
const owed = async () => (await bench.spool.stats()).targets.find(({ targetId }) => targetId === "town");
await until(async () => ((await owed())?.pending ?? 0) + ((await owed())?.leased ?? 0) === 0, "all is sent", 10_000);
