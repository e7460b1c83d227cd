import { LayernextSandbox } from "../../src/sandbox/layernext/server.ts";
import { layernextConfig } from "../../src/targets/layernext/config.ts";
import { LayernextTarget } from "../../src/targets/layernext/target.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";
import { targetContract } from "./target.ts";

const [apiKey, secret] = ["layernext-key", "layernext-secret-canary-4711"];

for (const api of ["3.x", "1.x", "layerx"] as const) {
  targetContract(`layernext ${api}`, async () => {
    const sandbox = new LayernextSandbox({ apiKey, secret, api, jobPolls: 1 });
    const { url } = await sandbox.start();
    const given = { id: "lake", kind: "layernext", url, apiKey, secret, api, collection: "dock-3" };
    const target = new LayernextTarget(layernextConfig.parse(given), {
      memory: new MemoryForTarget(),
      pace: { pollFirstMs: 5, pollMaxMs: 5, waitMs: 500 },
    });
    return {
      target,
      secrets: [secret, Buffer.from(`${apiKey}:${secret}`).toString("base64")],
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
}
