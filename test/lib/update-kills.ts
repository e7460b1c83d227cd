import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SystemClock } from "../../src/core/clock.ts";
import { ModelStore } from "../../src/models/store.ts";
import { FakeSwitch } from "./fake-switch.ts";
import { until } from "./poll.ts";
import { ReleaseServer } from "./releases.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { takeoverOf } from "./takeover-bench.ts";
import { tempFolder } from "./temp.ts";

/**
 * An agent that updates all the time is killed at random moments. After each kill, what is in use is whole and one of the
 * published versions, the books can be read, and a start leaves nothing half done. Killed for the last time, it still
 * brings a newer one into use.
 */
export async function killUpdates({ kills, seed }: { kills: number; seed: number }): Promise<void> {
  await using folder = await tempFolder();
  await using server = await ReleaseServer.open();
  const random = seededRandom(seed);
  let sequence = 0;
  const publishNext = () => {
    sequence += 1;
    const bytes = Buffer.alloc(20_000, `model ${sequence} `);
    const files = { "model.onnx": bytes, "golden.jpg": Buffer.from("p"), "golden.json": Buffer.from(`${sequence}`) };
    server.publish({ version: String(sequence), sequence, files });
    const path = `/models/wasps/${sequence}/model.onnx`;
    // With the next release published while the last file of this one is on its way, every moment has its turn.
    server.answers.set(path, (_request, response) => {
      response.writeHead(200, { "content-length": bytes.length }).write(bytes.subarray(0, 9_000));
      setTimeout(() => response.end(bytes.subarray(9_000)), random() * 20);
      setTimeout(publishNext, 30 + random() * 60);
    });
  };
  publishNext();
  let [used, current] = [0, 0];
  for (let round = 0; round < kills; round += 1) {
    const lifeMs = 150 + random() * 350;
    await killedChild(folder.path, server, async () => await delay(lifeMs));
    current = await assertConsistent(folder.path, sequence, current);
    used = Math.max(used, current);
  }
  const store = new ModelStore(join(folder.path, "models"));
  const isNewer = async (): Promise<boolean> => (await versionInUse(store)) > used;
  const wanted = `an update after the kills (seed ${seed})`;
  await killedChild(folder.path, server, async () => await until(isNewer, wanted, 30_000));
  await assertConsistent(folder.path, sequence, await versionInUse(store));
}

async function killedChild(folder: string, server: ReleaseServer, life: () => Promise<void>): Promise<void> {
  const program = fileURLToPath(new URL("./update-child.js", import.meta.url));
  const child = spawn(process.execPath, [program, folder, server.url, server.signer.publicKey], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), ended]);
  await life().finally(() => child.kill("SIGKILL"));
  const [code] = (await ended) as [number | null];
  assert.equal(code, null, "the child ended by itself");
}

/** As the next start finds it. The version in use never goes back but by probation, which three kills in a row may end. */
async function assertConsistent(folder: string, published: number, before: number): Promise<number> {
  const seams = { clock: new SystemClock(), random: Math.random, log: new RecordingLogger() };
  const { store, takeover } = takeoverOf({ folder, vision: new FakeSwitch(), seams });
  await takeover.guard();
  await takeover.endedWell();
  assert.deepEqual(
    seams.log.lines.filter(({ event }) => event === "model.books_unusable"),
    [],
  );
  await store.sweep();
  const names = await readdir(store.folder).catch(() => []);
  const hidden = names.filter((name) => name.startsWith(".incoming"));
  assert.deepEqual(hidden, []);
  for (const { version, file } of await store.list()) {
    const digest = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    const wanted = createHash("sha256")
      .update(Buffer.alloc(20_000, `model ${version} `))
      .digest("hex");
    assert.equal(digest, wanted, `version ${version}`);
    assert.ok((await readFile(join(file, "..", "golden.json"), "utf8")) === version);
  }
  const current = await versionInUse(store);
  assert.ok(
    current <= published && (current >= before || seams.log.lines.some(({ event }) => event === "model.rolled_back")),
  );
  const { probation, fetched } = takeover.books.read();
  if (probation !== undefined) assert.equal(probation.model.version, String(current));
  // What is there is known, so that it is removed one day.
  for (const { version } of await store.list())
    assert.ok(
      fetched.some((ref) => ref.version === version),
      version,
    );
  return current;
}

/** 0 while it is the one that ships. */
async function versionInUse(store: ModelStore): Promise<number> {
  return Number((await store.current())?.version ?? 0);
}
