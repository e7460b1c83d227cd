import { join } from "node:path";
import type { Seams } from "../../src/core/ports.ts";
import { Access } from "../../src/remote/access.ts";
import { Remote } from "../../src/remote/remote.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import { agentVersion } from "../version.ts";
import type { AgentCommands, ControlFacts } from "./commands.ts";
import type { ConfigPort } from "./config-port.ts";
import { discoveryPort } from "./discovery-port.ts";

export interface RemotePartOptions {
  readonly agent: Agent;
  /** Of this process. */
  readonly instance: string;
  readonly settings: ConfigPort;
  readonly offered: AgentCommands;
}

export interface RemotePart extends Part {
  /** Undefined where the config has no `remote`. */
  readonly control: ControlFacts | undefined;
  /** Resolves when there is a connection; where there is no remote control there is nothing to wait for. */
  connected(signal: AbortSignal): Promise<void>;
  /** Why there is none, in one line. */
  lastError(): string | undefined;
}

/** Remote control of a running agent. Nothing where the config has no `remote`. */
export function remotePart(
  config: FramepostConfig,
  { agent, instance, settings, offered }: RemotePartOptions,
  seams: Seams,
): RemotePart {
  const { remote: remoteConfig } = config;
  if (remoteConfig === undefined) return noRemote;
  const { dataFolder } = settings.settings;
  const { commands, status } = offered;
  const pictures = remoteConfig.homeAssistant.pictures && !agent.localOnly;
  const remote: Remote = new Remote(
    {
      ...{ config: { ...remoteConfig, homeAssistant: { ...remoteConfig.homeAssistant, pictures } } },
      ...{ device: agent.device, instance, stateFolder: join(dataFolder, "state") },
      ...{ commands, gate: new Access(remoteConfig), revision: () => settings.revision(), ...status },
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
      offered.stop();
      await remote.stop();
    },
    control: {
      requests: () => remote.requests(),
      requestsByCommand: () => remote.requestsByCommand(),
      link: () => remote.link.health(),
      packetBytesMax: () => remote.link.packetBytesMax(),
      audit: (audit) => remote.event("audit", audit),
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
  control: undefined,
  start: async () => undefined,
  stop: async () => undefined,
  connected: async () => undefined,
  lastError: () => undefined,
};
