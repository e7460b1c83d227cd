import assert from "node:assert/strict";
import { join } from "node:path";
import { RemoteQueue } from "../../agent/remote/queue-port.ts";
import { targetPort } from "../../agent/remote/target-port.ts";
import { explainUploadPort, uploadPort } from "../../agent/remote/upload-port.ts";
import { SystemClock } from "../../src/core/clock.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { DeliveryLoop } from "../../src/deliver/loop.ts";
import { UploadControl } from "../../src/deliver/upload-control.ts";
import { explainUploadCommands } from "../../src/remote/commands/explain-upload.ts";
import { quarantineCommands } from "../../src/remote/commands/quarantine.ts";
import { queueCommands } from "../../src/remote/commands/queue.ts";
import { targetCommands } from "../../src/remote/commands/target.ts";
import { uploadCommands } from "../../src/remote/commands/upload.ts";
import { accepted } from "./deliver-bench.ts";
import { openSpool } from "./disk-spool.ts";
import { draftOf, imageOf } from "./drafts.ts";
import { InboxBench } from "./inbox-bench.ts";
import { each, ScriptedTarget } from "./scripted-target.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";

interface Options {
  readonly disabled?: readonly string[];
}

/** A spool on disk, two targets that answer as `says` says, and their commands behind an inbox. */
export async function queueDevice({ disabled = [] }: Options = {}) {
  const folder = await tempFolder();
  const [clock, log] = [new SystemClock(), new RecordingLogger()];
  const seams = { clock, random: seededRandom(5), log };
  const opened = await openSpool(join(folder.path, "spool"), { clock });
  const { spool } = opened;
  const says = { a: accepted, b: accepted } as Record<string, Outcome>;
  const targets = ["a", "b"].map(
    (id) =>
      new ScriptedTarget(
        id,
        each(() => says[id] ?? accepted),
      ),
  );
  const enabled = targets.map(({ id }) => ({ id, enabled: !disabled.includes(id) }));
  const upload = new UploadControl({ stateFolder: join(folder.path, "state"), targets: enabled }, seams);
  await upload.start();
  const loops = targets.map((target) => new DeliveryLoop(target, spool, seams, upload.gateOf(target.id)));
  const parts = { spool, targets, upload, loops };
  const patches: object[] = [];
  const settings = {
    change: async (patch: object, { dry }: { readonly dry: boolean }) => {
      if (!dry) patches.push(patch);
      return Promise.resolve({ applied: "parts started anew" });
    },
  };
  const queue = new RemoteQueue(parts, clock);
  const bench = await InboxBench.open([
    ...queueCommands(queue),
    ...quarantineCommands(queue),
    ...targetCommands(targetPort(parts, clock), settings),
    ...uploadCommands(uploadPort(parts)),
    ...explainUploadCommands(explainUploadPort(parts)),
  ]);
  return {
    ...{ bench, spool, says, targets, loops, upload, patches },
    start: () => {
      for (const loop of loops) loop.start();
    },
    append: async (
      records: number,
      owedTo: readonly string[] = ["a", "b"],
      change: Parameters<typeof draftOf>[0] = {},
    ) => {
      for (let at = 0; at < records; at += 1) await spool.append(draftOf(change), imageOf(500, at), owedTo);
    },
    /** `data` of what must be done. */
    done: async <T>(name: string, args: object = {}, more: object = {}): Promise<T> => {
      const { state, code, message, data } = await bench.reply(name, args, more);
      assert.deepEqual([state, code], ["done", "ok"], `${name}: ${message ?? ""}`);
      return data as T;
    },
    pending: async (): Promise<readonly number[]> => {
      const found = (await spool.stats()).targets;
      return ["a", "b"].map((id) => found.find(({ targetId }) => targetId === id)?.pending ?? 0);
    },
    reason: async (target: string): Promise<string> => {
      const { state, data } = await bench.reply("explain.upload", { target });
      assert.equal(state, "done");
      return (data as { targets: readonly [{ readonly reason: string }] }).targets[0].reason;
    },
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
      await Promise.all(loops.map((loop) => loop.stop()));
      await upload.stop();
      await opened[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
