import { MemoryOfTarget } from "../lib/target-memory.ts";
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
  const target = new RemoTarget({ config, memory: new MemoryOfTarget() }, { clock: new SimulatedClock() });
  return {
    target,
    secrets: [password],
    received: () => Promise.resolve(sandbox.stored().length),
    async freeze() {
      sandbox.fault({ kind: "hang", stores: false }, Infinity);
    },
    vanish: () => sandbox.stop(),
    async [Symbol.asyncDispose]() {
      await target.close();
      await sandbox.stop();
    },
  };
});
