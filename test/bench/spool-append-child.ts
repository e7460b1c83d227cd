import { randomBytes } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { SystemClock } from "../../src/core/clock.ts";
import { draftOf, imageOf } from "../lib/drafts.ts";
import { openSpool } from "../lib/disk-spool.ts";
import { tempFolder } from "../lib/temp.ts";
import { median } from "./table.ts";

/** Arguments: bytes of an image, rounds, records a round. Bare writes and appends take turns, so that both see the same disk. */
const [sizeBytes = 0, rounds = 0, perRound = 0] = process.argv.slice(2).map(Number);

/** What append adds to the image: metadata and trailer. */
const addedBytes = 900;

async function main(): Promise<void> {
  await using folder = await tempFolder();
  await using opened = await openSpool(join(folder.path, "spool"), { clock: new SystemClock() });
  const encryptionKey = randomBytes(32).toString("hex");
  await using keyed = await openSpool(join(folder.path, "keyed"), { clock: new SystemClock(), encryptionKey });
  const bare = join(folder.path, "bare");
  await mkdir(bare);
  const jpeg = imageOf(sizeBytes);
  const bareBytes = Buffer.concat([jpeg, Buffer.alloc(addedBytes)]);
  const append = async ({ spool } = opened): Promise<unknown> => await spool.append(draftOf(), jpeg, ["a", "b"]);
  const bareMs: number[] = [];
  const appendMs: number[] = [];
  const fourMs: number[] = [];
  const encryptedMs: number[] = [];
  const ratios: number[] = [];
  for (let at = 0; at < perRound; at += 1) await append();
  for (let round = 0; round < rounds; round += 1) {
    for (let at = 0; at < perRound; at += 1) {
      bareMs.push(await timed(async () => await writeBare(join(bare, `${round}-${at}.jpg`), bareBytes)));
      appendMs.push(await timed(append));
      encryptedMs.push(await timed(async () => await append(keyed)));
    }
    ratios.push(median(appendMs.slice(-perRound)) / median(bareMs.slice(-perRound)));
    for (let at = 0; at < perRound / 4; at += 1) {
      fourMs.push((await timed(async () => await Promise.all([append(), append(), append(), append()]))) / 4);
    }
  }
  const figures = { bareMs: median(bareMs), appendMs: median(appendMs), fourMs: median(fourMs) };
  const encrypted = { encryptedMs: median(encryptedMs) };
  const spread = { lowest: Math.min(...ratios), highest: Math.max(...ratios) };
  process.stdout.write(`${JSON.stringify({ ...figures, ...spread, ...encrypted })}\n`);
}

async function writeBare(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, "w");
  await file.write(bytes);
  await file.sync();
  await file.close();
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

await main();
