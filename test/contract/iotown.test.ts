import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { targetContract } from "./target.ts";

const token = "iotown-token-canary-4711";
const data = { mode: "data", nid: "WF1" };

for (const [name, settings] of [
  ["iotown", {}],
  ["iotown, frames as files of a node", data],
  ["iotown, frames as JSON of a node", { ...data, dataBody: "json" }],
] as const) {
  targetContract(name, async () => {
    const sandbox = new IotownSandbox({ token, nodes: ["WF1"] });
    const { url } = await sandbox.start();
    const targets: IotownTarget[] = [];
    const make = () => {
      const target = new IotownTarget(iotownConfig.parse({ id: "town", kind: "iotown", url, token, ...settings }));
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
  });
}
