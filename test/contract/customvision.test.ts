import { SystemClock } from "../../src/core/clock.ts";
import { CustomVisionSandbox, sandboxProjectId } from "../../src/sandbox/customvision/server.ts";
import { customVisionConfig } from "../../src/targets/customvision/config.ts";
import { CustomVisionTarget } from "../../src/targets/customvision/target.ts";
import { platformFixture } from "./platform-fixture.ts";
import { targetContract } from "./target.ts";

const trainingKey = "customvision-key-canary-4711";

for (const apiVersion of ["v3.3", "v1.2"] as const) {
  targetContract(`customvision ${apiVersion}`, async () => {
    const sandbox = new CustomVisionSandbox({ trainingKey, switches: { requestsPerSecondMax: Infinity } });
    const { url } = await sandbox.start();
    const given = { id: "azure", kind: "customvision", url, trainingKey, projectId: sandboxProjectId, apiVersion };
    const config = customVisionConfig.parse(given);
    return platformFixture(sandbox, () => new CustomVisionTarget(config, { clock: new SystemClock() }), {
      secrets: [trainingKey],
      // By what the project holds: the same bytes are the same image, however often they come.
      tellsDuplicates: true,
      stored: () => Promise.resolve(sandbox.stored().length),
      remoteIdOf: ({ imageSha256 }) =>
        Promise.resolve(sandbox.stored().find(({ sha256 }) => sha256 === imageSha256)?.id),
      async refuse({ record }) {
        sandbox.turn({ statusOf: (name) => (name === record.name ? "ErrorImageFormat" : undefined) });
      },
    });
  });
}
