import { folderTargetConfig } from "../../src/targets/folder/config.ts";
import { FolderTarget } from "../../src/targets/folder/target.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";

/** Writes records 1, 2, 3 … to the folder of its first argument until it is killed; says each one that was accepted. */
const target = new FolderTarget(folderTargetConfig.parse({ id: "set", kind: "folder", path: process.argv[2] }));
await target.start();
const never = new AbortController().signal;
for (let n = 1; n <= 100_000; n += 1) {
  const delivery = sampleDelivery(n, sampleJpeg(n, 20_000));
  const outcome = (await target.deliver([delivery], never)).get(delivery.record.id);
  if (outcome?.kind !== "accepted") throw new Error(`not accepted: ${outcome?.error.message ?? ""}`);
  process.stdout.write(`${n}\n`);
}
