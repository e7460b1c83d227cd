import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { AgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import { Access } from "../../src/remote/access.ts";
import type { Command } from "../../src/remote/command.ts";
import { basicCommands } from "../../src/remote/commands/basic.ts";
import { capabilitiesCommands } from "../../src/remote/commands/capabilities.ts";
import { logCommands } from "../../src/remote/commands/log.ts";
import { explainUploadCommands } from "../../src/remote/commands/explain-upload.ts";
import { modelCommands } from "../../src/remote/commands/model.ts";
import { quarantineCommands } from "../../src/remote/commands/quarantine.ts";
import { queueCommands } from "../../src/remote/commands/queue.ts";
import { supportCommands } from "../../src/remote/commands/support.ts";
import { targetCommands } from "../../src/remote/commands/target.ts";
import { uploadCommands } from "../../src/remote/commands/upload.ts";
import type { Settings as RemoteSettings } from "../../src/remote/settings.ts";
import { Remote } from "../../src/remote/remote.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import type { Settings } from "../settings.ts";
import { agentVersion } from "../version.ts";
import { capabilitiesPort } from "./capabilities-port.ts";
import { discoveryPort } from "./discovery-port.ts";
import { LogLevelHold } from "./log-port.ts";
import { modelPort } from "./model-port.ts";
import { RemoteQueue } from "./queue-port.ts";
import { commandsOfCameras, settingsOfCameras } from "./camera-commands.ts";
import { statusPort } from "./status-port.ts";
import { supportPort } from "./support-port.ts";
import { targetPort } from "./target-port.ts";
import { explainUploadPort, uploadPort } from "./upload-port.ts";

export interface RemotePartOptions extends Pick<Settings, "logControl" | "logRing"> {
  readonly agent: Agent;
  readonly dataFolder: string;
  /** The effective config, without secrets. */
  readonly shownConfig: () => unknown;
}

/** Remote control of a running agent. Nothing where the config has no `remote`. */
export function remotePart(
  config: FramepostConfig,
  { agent, dataFolder, logControl, logRing, shownConfig }: RemotePartOptions,
  seams: Seams,
): Part {
  const { remote: remoteConfig } = config;
  if (remoteConfig === undefined) return { name: "remote", start: async () => undefined, stop: async () => undefined };
  const revision = () => 0;
  const instance = randomUUID();
  const names = () => commands.map(({ spec }) => spec.name);
  const requests = () => remote.requests();
  const packetBytesMax = () => remote.link.packetBytesMax();
  const own = { agent, dataFolder, instance, revision, packetBytesMax };
  const status = statusPort(config, { ...own, requests, commands: names }, seams);
  const queue = new RemoteQueue(agent, seams.clock);
  const models = modelPort(agent, seams.clock);
  const logLevel = new LogLevelHold(logControl, seams.clock);
  const support = supportPort({ agent, status, models, shownConfig, logRing, log: seams.log, packetBytesMax });
  const commands: readonly Command[] = [
    ...basicCommands(status),
    ...capabilitiesCommands(capabilitiesPort()),
    ...queueCommands(queue),
    ...quarantineCommands(queue),
    ...targetCommands(targetPort(agent, seams.clock), unchangeable),
    ...uploadCommands(uploadPort(agent)),
    ...explainUploadCommands(explainUploadPort(agent)),
    ...commandsOfCameras(agent, packetBytesMax, seams.clock),
    ...settingsOfCameras(agent, unchangeable),
    ...modelCommands(models),
    ...logCommands(logLevel),
    ...supportCommands(support),
  ];
  const { pictures } = remoteConfig.homeAssistant;
  const remote: Remote = new Remote(
    {
      ...{ config: remoteConfig, device: agent.device, instance, stateFolder: join(dataFolder, "state") },
      ...{ commands, gate: new Access(remoteConfig), revision, ...status },
      discovery: {
        source: discoveryPort(config, { agent, clock: seams.clock, pictures, status: status.status }),
        version: agentVersion(),
      },
    },
    seams,
  );
  return {
    name: "remote",
    start: () => remote.start(),
    async stop() {
      logLevel.stop();
      await remote.stop();
    },
  };
}

const unchangeable: RemoteSettings = {
  change: async () => {
    const message = "the config cannot be changed by commands";
    throw await Promise.resolve(new AgentError("COMMAND_FORBIDDEN", message, { disposition: "reject" }));
  },
};
