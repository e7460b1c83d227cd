import { join } from "node:path";
import type { Seams } from "../../src/core/ports.ts";
import { Access } from "../../src/remote/access.ts";
import type { Command } from "../../src/remote/command.ts";
import { basicCommands } from "../../src/remote/commands/basic.ts";
import { Remote } from "../../src/remote/remote.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import { commandsOfCameras } from "./camera-commands.ts";
import { statusPort } from "./status-port.ts";

/** Remote control of a running agent. Nothing where the config has no `remote`. */
export function remotePart(
  config: FramepostConfig,
  { agent, dataFolder }: { readonly agent: Agent; readonly dataFolder: string },
  seams: Seams,
): Part {
  const { remote: remoteConfig } = config;
  if (remoteConfig === undefined) return { name: "remote", start: async () => undefined, stop: async () => undefined };
  const revision = () => 0;
  const names = () => commands.map(({ spec }) => spec.name);
  const status = statusPort(config, { agent, dataFolder, revision, commands: names }, seams);
  const packetBytesMax = () => remote.link.packetBytesMax();
  const commands: readonly Command[] = [
    ...basicCommands(status),
    ...commandsOfCameras(agent, packetBytesMax, seams.clock),
  ];
  const remote: Remote = new Remote(
    {
      ...{ config: remoteConfig, device: agent.device, stateFolder: join(dataFolder, "state") },
      ...{ commands, gate: new Access(remoteConfig), revision, ...status },
    },
    seams,
  );
  return { name: "remote", start: () => remote.start(), stop: () => remote.stop() };
}
