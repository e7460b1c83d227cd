import { join } from "node:path";
import type { Seams } from "../../src/core/ports.ts";
import { Access } from "../../src/remote/access.ts";
import type { Command } from "../../src/remote/command.ts";
import { basicCommands } from "../../src/remote/commands/basic.ts";
import { capabilitiesCommands } from "../../src/remote/commands/capabilities.ts";
import { configCommands } from "../../src/remote/commands/config.ts";
import { logCommands } from "../../src/remote/commands/log.ts";
import { explainUploadCommands } from "../../src/remote/commands/explain-upload.ts";
import { modelCommands } from "../../src/remote/commands/model.ts";
import { quarantineCommands } from "../../src/remote/commands/quarantine.ts";
import { queueCommands } from "../../src/remote/commands/queue.ts";
import { restartCommands } from "../../src/remote/commands/restart.ts";
import { supportCommands } from "../../src/remote/commands/support.ts";
import { targetCommands } from "../../src/remote/commands/target.ts";
import { uploadCommands } from "../../src/remote/commands/upload.ts";
import { Remote } from "../../src/remote/remote.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import { agentVersion } from "../version.ts";
import { capabilitiesPort } from "./capabilities-port.ts";
import type { ConfigPort } from "./config-port.ts";
import { discoveryPort } from "./discovery-port.ts";
import { LogLevelHold } from "./log-port.ts";
import { modelPort } from "./model-port.ts";
import { RemoteQueue } from "./queue-port.ts";
import { commandsOfCameras, settingsOfCameras } from "./camera-commands.ts";
import { statusPort } from "./status-port.ts";
import { supportPort } from "./support-port.ts";
import { targetPort } from "./target-port.ts";
import { explainUploadPort, uploadPort } from "./upload-port.ts";

export interface RemotePartOptions {
  readonly agent: Agent;
  /** Of this process. */
  readonly instance: string;
  readonly settings: ConfigPort;
}

export interface RemotePart extends Part {
  /** Resolves when there is a connection; where there is no remote control, when `signal` aborts. */
  connected(signal: AbortSignal): Promise<void>;
  /** Why there is none, in one line. */
  lastError(): string | undefined;
}

/** Remote control of a running agent. Nothing where the config has no `remote`. */
export function remotePart(
  config: FramepostConfig,
  { agent, instance, settings }: RemotePartOptions,
  seams: Seams,
): RemotePart {
  const { remote: remoteConfig } = config;
  if (remoteConfig === undefined) return noRemote;
  const { dataFolder, logControl, logRing } = settings.settings;
  const shownConfig = () => settings.shown();
  const revision = () => settings.revision();
  const change = () => settings.state();
  const names = () => commands.map(({ spec }) => spec.name);
  const requests = () => remote.requests();
  const packetBytesMax = () => remote.link.packetBytesMax();
  const link = () => remote.link.health();
  const own = { agent, dataFolder, instance, revision, packetBytesMax, config: change, link };
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
    ...targetCommands(targetPort(agent, seams.clock), settings),
    ...uploadCommands(uploadPort(agent)),
    ...explainUploadCommands(explainUploadPort(agent)),
    ...commandsOfCameras(agent, packetBytesMax, seams.clock),
    ...settingsOfCameras(agent, settings),
    ...modelCommands(models),
    ...logCommands(logLevel),
    ...supportCommands(support),
    ...configCommands(settings),
    ...restartCommands(settings),
  ];
  const pictures = remoteConfig.homeAssistant.pictures && !agent.localOnly;
  const remote: Remote = new Remote(
    {
      ...{ config: { ...remoteConfig, homeAssistant: { ...remoteConfig.homeAssistant, pictures } } },
      ...{ device: agent.device, instance, stateFolder: join(dataFolder, "state") },
      ...{ commands, gate: new Access(remoteConfig), revision, ...status },
      outcomeOf: (request) => settings.outcomeOf(request),
      discovery: {
        source: discoveryPort(config, { agent, clock: seams.clock, pictures, status: status.status }),
        version: agentVersion(),
      },
    },
    seams,
  );
  return {
    name: "remote",
    async start() {
      await remote.start();
      settings.listen(({ kind, data }) => remote.event(kind, data));
    },
    async stop() {
      logLevel.stop();
      await remote.stop();
    },
    connected: (signal) => remote.link.connected(signal),
    lastError() {
      const state = remote.link.state();
      return state.kind === "connected" ? undefined : state.lastError?.message;
    },
  };
}

const noRemote: RemotePart = {
  name: "remote",
  start: async () => undefined,
  stop: async () => undefined,
  connected: async (signal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  },
  lastError: () => undefined,
};
