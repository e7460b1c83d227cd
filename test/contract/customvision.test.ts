import { SystemClock } from "../../src/core/clock.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import { customVisionConfig } from "../../src/targets/customvision/config.ts";
import { CustomVisionTarget } from "../../src/targets/customvision/target.ts";
import { targetContract } from "./target.ts";

const trainingKey = "customvision-key-canary-4711";

for (const apiVersion of ["v3.3", "v1.2"] as const) {
  targetContract(`customvision ${apiVersion}`, async () => {
    const sandbox = new CustomVisionSandbox({ trainingKey, switches: { requestsPerSecondMax: Infinity } });
    const { url } = await sandbox.start();
    const given = { id: "azure", kind: "customvision", url, trainingKey, projectId: sandboxProjectId, apiVersion };
    const config = customVisionConfig.parse(given);
    const made: CustomVisionTarget[] = [];
    const make = (): CustomVisionTarget => {
      const target = new CustomVisionTarget(config, { clock: new SystemClock() });
      made.push(target);
      return target;
    };
    return {
      target: make(),
      secrets: [trainingKey],
      received: () => Promise.resolve(sandbox.stored().length),
      // By what the project holds: the same bytes are the same image, however often they come.
      tellsDuplicates: true,
      stored: () => Promise.resolve(sandbox.stored().length),
      restarted: () => Promise.resolve(make()),
      remoteIdOf: ({ imageSha256 }) =>
        Promise.resolve(sandbox.stored().find(({ sha256 }) => sha256 === imageSha256)?.id),
      async refuse({ record }) {
        sandbox.turn({ statusOf: (name) => (name === record.name ? "ErrorImageFormat" : undefined) });
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
}
