import { MemoryForTarget } from "../lib/target-memory.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { RemoSandbox } from "../../src/sandbox/remo/server.ts";
import { remoConfig } from "../../src/targets/remo/config.ts";
import { RemoTarget } from "../../src/targets/remo/target.ts";
import { targetContract } from "./target.ts";

const password = "remo-password-canary-4711";
const email = "gateway@site.example";

targetContract("remo", async () => {
  const sandbox = new RemoSandbox({ email, password });
  const { url } = await sandbox.start();
  const config = remoConfig.parse({ id: "remo", kind: "remo", url, email, password, datasetId: 1 });
  const memory = new MemoryForTarget();
  const made: RemoTarget[] = [];
  const make = (): RemoTarget => {
    const target = new RemoTarget({ config, memory }, { clock: new SimulatedClock() });
    made.push(target);
    return target;
  };
  return {
    target: make(),
    secrets: [password],
    received: () => Promise.resolve(sandbox.stored().length),
    tellsDuplicates: true,
    stored: () => Promise.resolve(sandbox.stored().reduce((sum, { times }) => sum + times, 0)),
    restarted: () => Promise.resolve(make()),
    async refuse({ record }) {
      sandbox.switches.failing.set(record.name, "Failed to upload image, error: cannot identify image file");
    },
    async freeze() {
      sandbox.fault({ kind: "hang", stores: false }, Infinity);
    },
    vanish: () => sandbox.stop(),
    async [Symbol.asyncDispose]() {
      for (const target of made) await target.close();
      await sandbox.stop();
    },
  };
});
