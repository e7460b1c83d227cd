import { SystemClock } from "../../src/core/clock.ts";
import type { Target } from "../../src/core/ports.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { reducedTarget } from "../../src/targets/reduced.ts";
import { targetContract } from "./target.ts";
import type { TargetFixture } from "./target-checks.ts";

const token = "iotown-token-canary-4711";

async function fixture(wrap: (target: Target) => Target): Promise<TargetFixture> {
  const sandbox = new IotownSandbox({ token });
  const { url } = await sandbox.start();
  const targets: Target[] = [];
  const make = () => {
    const target = wrap(new IotownTarget(iotownConfig.parse({ id: "town", kind: "iotown", url, token })));
    targets.push(target);
    return target;
  };
  return {
    target: make(),
    async refuse({ record }) {
      sandbox.refuse(record.imageSha256);
    },
    restarted: () => Promise.resolve(make()),
    secrets: [token],
    received: () => Promise.resolve(sandbox.stored().length),
    async freeze() {
      sandbox.fault({ kind: "hang", stores: false }, Infinity);
    },
    vanish: () => sandbox.stop(),
    async [Symbol.asyncDispose]() {
      for (const target of targets) await target.close();
      await sandbox.stop();
    },
  };
}

targetContract("iotown", () => fixture((target) => target));

targetContract("iotown, with reduced copies", () => {
  const rules = { minQuality: 50, minScale: 0.5 };
  const none = () => Promise.reject(new Error("no picture here is too large"));
  return fixture((target) => reducedTarget(target, rules, none, new SystemClock()));
});
