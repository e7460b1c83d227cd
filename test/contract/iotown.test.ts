import { SystemClock } from "../../src/core/clock.ts";
import type { Target } from "../../src/core/ports.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { reducedTarget } from "../../src/targets/reduced.ts";
import { platformFixture } from "./platform-fixture.ts";
import { targetContract } from "./target.ts";
import type { TargetFixture } from "./target-checks.ts";

const token = "iotown-token-canary-4711";
const data = { mode: "data", nid: "WF1" };

async function fixture(settings: object, wrap: (target: Target) => Target): Promise<TargetFixture> {
  const sandbox = new IotownSandbox({ token, nodes: ["WF1"] });
  const { url } = await sandbox.start();
  const config = iotownConfig.parse({ id: "town", kind: "iotown", url, token, ...settings });
  return platformFixture(sandbox, () => wrap(new IotownTarget(config)), {
    secrets: [token],
    async refuse({ record }) {
      sandbox.refuse(record.imageSha256);
    },
  });
}

for (const [name, settings] of [
  ["iotown", {}],
  ["iotown, frames as files of a node", data],
  ["iotown, frames as JSON of a node", { ...data, dataBody: "json" }],
] as const) {
  targetContract(name, () => fixture(settings, (target) => target));
}

targetContract("iotown, with reduced copies", () => {
  const rules = { minQuality: 50, minScale: 0.5 };
  const none = () => Promise.reject(new Error("no picture here is too large"));
  return fixture({}, (target) => reducedTarget(target, rules, none, new SystemClock()));
});
