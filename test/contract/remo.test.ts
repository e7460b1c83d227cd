import { MemoryForTarget } from "../lib/target-memory.ts";
import { SimulatedClock } from "../lib/seams.ts";
import { RemoSandbox } from "../../src/sandbox/remo/server.ts";
import { remoConfig } from "../../src/targets/remo/config.ts";
import { RemoTarget } from "../../src/targets/remo/target.ts";
import { platformFixture } from "./platform-fixture.ts";
import { targetContract } from "./target.ts";

const password = "remo-password-canary-4711";
const email = "gateway@site.example";

targetContract("remo", async () => {
  const sandbox = new RemoSandbox({ email, password });
  const { url } = await sandbox.start();
  const config = remoConfig.parse({ id: "remo", kind: "remo", url, email, password, datasetId: 1 });
  const memory = new MemoryForTarget();
  const make = () => new RemoTarget({ config, memory }, { clock: new SimulatedClock() });
  return platformFixture(sandbox, make, {
    secrets: [password],
    tellsDuplicates: true,
    stored: () => Promise.resolve(sandbox.stored().reduce((sum, { times }) => sum + times, 0)),
    async refuse({ record }) {
      sandbox.switches.failing.set(record.name, "Failed to upload image, error: cannot identify image file");
    },
  });
});
