import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Seams } from "../../src/core/ports.ts";
import { Access } from "../../src/remote/access.ts";
import type { Command } from "../../src/remote/command.ts";
import { basicCommands } from "../../src/remote/commands/basic.ts";
import { capabilitiesCommands } from "../../src/remote/commands/capabilities.ts";
import { logCommands } from "../../src/remote/commands/log.ts";
import { modelCommands } from "../../src/remote/commands/model.ts";
import { snapshotCommands } from "../../src/remote/commands/snapshot.ts";
import { supportCommands } from "../../src/remote/commands/support.ts";
import { Remote } from "../../src/remote/remote.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import type { Settings } from "../settings.ts";
import { capabilitiesPort } from "./capabilities-port.ts";
import { LogLevelHold } from "./log-port.ts";
import { modelPort } from "./model-port.ts";
import { snapshotPort } from "./snapshot-port.ts";
import { statusPort } from "./status-port.ts";
import { supportPort } from "./support-port.ts";

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
  const models = modelPort(agent, seams.clock);
  const logLevel = new LogLevelHold(logControl, seams.clock);
  const support = supportPort({ agent, status, models, shownConfig, logRing, log: seams.log, packetBytesMax });
  const commands: readonly Command[] = [
    ...basicCommands(status),
    ...capabilitiesCommands(capabilitiesPort()),
    ...snapshotCommands(snapshotPort(agent)),
    ...modelCommands(models),
    ...logCommands(logLevel),
    ...supportCommands(support),
  ];
  const remote: Remote = new Remote(
    {
      ...{ config: remoteConfig, device: agent.device, instance, stateFolder: join(dataFolder, "state") },
      ...{ commands, gate: new Access(remoteConfig), revision, ...status },
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
