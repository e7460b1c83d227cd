import { join } from "node:path";
import { AgentProcess, writeConfig } from "./agent.ts";
import { tempFolder } from "./temp.ts";

/** The folder of a device `gw` with a simulated camera and a folder target, whose daemon can be started and killed. */
export async function remoteDevice(config: object) {
  const folder = await tempFolder();
  const data = join(folder.path, "data");
  const file = await writeConfig(folder.path, {
    device: { name: "gw" },
    cameras: [{ id: "front", driver: "simulated", interval: "300ms", width: 320, height: 240 }],
    targets: [{ id: "out", kind: "folder", path: "out" }],
    ...config,
  });
  return {
    ...{ file, data, folder: folder.path },
    /** Connected, or as long as it takes to be told so. */
    async start(): Promise<AgentProcess> {
      const agent = new AgentProcess(["run", "-c", file, "--data", data]);
      await agent.untilLogged("mqtt.connected", 1, 20_000);
      return agent;
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
