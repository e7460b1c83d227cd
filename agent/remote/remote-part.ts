import { join } from "node:path";
import type { Seams } from "../../src/core/ports.ts";
import { Access } from "../../src/remote/access.ts";
import { basicCommands } from "../../src/remote/commands/basic.ts";
import { cameraCommands } from "../../src/remote/commands/camera.ts";
import { captureCommands } from "../../src/remote/commands/capture.ts";
import { explainFrameCommands } from "../../src/remote/commands/explain-frame.ts";
import { snapshotCommands } from "../../src/remote/commands/snapshot.ts";
import { Remote } from "../../src/remote/remote.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import { healthReport } from "../report.ts";
import { agentVersion } from "../version.ts";
import { cameraPort } from "./camera-port.ts";
import { capturePort } from "./capture-port.ts";
import { explainFramePort } from "./explain-frame-port.ts";
import { snapshotPort } from "./snapshot-port.ts";

/** Remote control of a running agent. Nothing where the config has no `remote`. */
export function remotePart(
  config: FramepostConfig,
  { agent, dataFolder }: { readonly agent: Agent; readonly dataFolder: string },
  seams: Seams,
): Part {
  const { remote: remoteConfig } = config;
  if (remoteConfig === undefined) return { name: "remote", start: async () => undefined, stop: async () => undefined };
  const status = async () => ({ v: 1, ...(await healthReport(agent, seams.clock)) });
  const info = () => ({
    v: 1,
    device: agent.device,
    version: agentVersion(),
    cameras: agent.cameras.map(({ id }) => id),
    targets: agent.targets.map(({ id, kind }) => ({ id, kind })),
    model: agent.vision.model()?.name,
    groups: remoteConfig.groups,
  });
  const packetBytesMax = () => remote.link.packetBytesMax();
  const commands = [
    ...basicCommands({ info, status }),
    ...snapshotCommands(snapshotPort(agent, packetBytesMax, seams.clock)),
    ...captureCommands(capturePort(agent, seams.clock)),
    ...cameraCommands(cameraPort(agent, seams.clock)),
    ...explainFrameCommands(explainFramePort(agent, seams.clock)),
  ];
  const remote: Remote = new Remote(
    {
      ...{ config: remoteConfig, device: agent.device, stateFolder: join(dataFolder, "state") },
      ...{ commands, gate: new Access(remoteConfig), revision: () => 0, info, status },
    },
    seams,
  );
  return { name: "remote", start: () => remote.start(), stop: () => remote.stop() };
}
