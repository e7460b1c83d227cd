import { LayernextSandbox } from "../../src/sandbox/layernext/server.ts";
import { layernextConfig } from "../../src/targets/layernext/config.ts";
import { LayernextTarget } from "../../src/targets/layernext/target.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";
import { platformFixture } from "./platform-fixture.ts";
import { targetContract } from "./target.ts";

const [apiKey, secret] = ["layernext-key", "layernext-secret-canary-4711"];
const pace = { pollFirstMs: 5, pollMaxMs: 5, waitMs: 500, callMs: 5_000 };

for (const api of ["3.x", "1.x"] as const) {
  targetContract(`layernext ${api}`, async () => {
    const sandbox = new LayernextSandbox({ apiKey, secret, api, jobPolls: 1 });
    const { url } = await sandbox.start();
    const config = { id: "lake", kind: "layernext", url, apiKey, secret, api, collection: "dock-3" };
    const memory = new MemoryForTarget();
    const make = () => new LayernextTarget(layernextConfig.parse(config), { memory, pace });
    return platformFixture(sandbox, make, {
      secrets: [secret, Buffer.from(`${apiKey}:${secret}`).toString("base64")],
      stored: () => Promise.resolve(sandbox.storage.counts().accepted),
      tellsDuplicates: true,
      remoteIdOf: ({ name }) => Promise.resolve(`dock-3_${name}`),
      async refuse({ record }) {
        sandbox.refuseFile(record.name);
      },
    });
  });
}
