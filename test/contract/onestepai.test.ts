import { onestepaiLimits } from "../../src/core/platform-limits.ts";
import { OnestepaiSandbox, sandboxDatasetId } from "../../src/sandbox/onestepai/server.ts";
import { onestepaiConfig } from "../../src/targets/onestepai/config.ts";
import { OnestepaiTarget } from "../../src/targets/onestepai/target.ts";
import { MemoryForTarget } from "../lib/target-memory.ts";
import { platformFixture } from "./platform-fixture.ts";
import { targetContract } from "./target.ts";

const accessToken = "onestepai-token-canary-4711";

targetContract("onestepai", async () => {
  const sandbox = new OnestepaiSandbox({ accessToken });
  const { url } = await sandbox.start();
  const config = onestepaiConfig.parse({
    id: "osai",
    kind: "onestepai",
    url,
    accessToken,
    datasetId: sandboxDatasetId,
    category: { default: "gate" },
    createCategories: true,
  });
  const limits = { ...onestepaiLimits, stoppedFinishTimeoutMs: 100 };
  const memory = new MemoryForTarget();
  return platformFixture(sandbox, () => new OnestepaiTarget(config, { memory, limits }), {
    secrets: [accessToken],
    async refuse({ record }) {
      sandbox.refuse(record.imageSha256);
    },
  });
});
