import { SystemClock } from "../../src/core/clock.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import { customVisionConfig } from "../../src/targets/customvision/config.ts";
import { CustomVisionTarget } from "../../src/targets/customvision/target.ts";
import { targetContract } from "./target.ts";

const trainingKey = "customvision-key-canary-4711";

for (const apiVersion of ["v3.3", "v1.2"] as const) {
  targetContract(`customvision ${apiVersion}`, async () => {
    const sandbox = new CustomVisionSandbox({ trainingKey });
    const { url } = await sandbox.start();
    const config = { id: "azure", kind: "customvision", url, trainingKey, projectId: sandboxProjectId, apiVersion };
    const target = new CustomVisionTarget(customVisionConfig.parse(config), { clock: new SystemClock() });
    return {
      target,
      secrets: [trainingKey],
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
