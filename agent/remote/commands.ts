import type { Seams } from "../../src/core/ports.ts";
import type { Audit } from "../../src/remote/audit.ts";
import type { Command } from "../../src/remote/command.ts";
import { basicCommands } from "../../src/remote/commands/basic.ts";
import { capabilitiesCommands } from "../../src/remote/commands/capabilities.ts";
import { type ConfigCommandsPort, configCommands } from "../../src/remote/commands/config.ts";
import { explainUploadCommands } from "../../src/remote/commands/explain-upload.ts";
import { logCommands } from "../../src/remote/commands/log.ts";
import { modelCommands } from "../../src/remote/commands/model.ts";
import { quarantineCommands } from "../../src/remote/commands/quarantine.ts";
import { queueCommands } from "../../src/remote/commands/queue.ts";
import { type RestartPort, restartCommands } from "../../src/remote/commands/restart.ts";
import { supportCommands } from "../../src/remote/commands/support.ts";
import { targetCommands } from "../../src/remote/commands/target.ts";
import { uploadCommands } from "../../src/remote/commands/upload.ts";
import type { ControlHealth } from "../../src/remote/control-health.ts";
import type { StatusReport } from "../../src/remote/status-report.ts";
import type { RequestCounts } from "../../src/remote/tally.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Settings } from "../settings.ts";
import { commandsOfCameras, settingsOfCameras } from "./camera-commands.ts";
import { capabilitiesPort } from "./capabilities-port.ts";
import { LogLevelHold } from "./log-port.ts";
import { modelPort } from "./model-port.ts";
import { RemoteQueue } from "./queue-port.ts";
import { type StatusPort, statusPort } from "./status-port.ts";
import { supportPort } from "./support-port.ts";
import { targetPort } from "./target-port.ts";
import { explainUploadPort, uploadPort } from "./upload-port.ts";

/** What the connection to an operator's broker is for the commands, where there is one. */
export interface ControlFacts {
  requests(): RequestCounts;
  /** Final replies by command and state, `NAME STATE`. */
  requestsByCommand(): Readonly<Record<string, number>>;
  link(): ControlHealth;
  /** Of a whole packet at the broker, at this moment. */
  packetBytesMax(): number;
  /** Tells whoever keeps count of effects, wherever they were asked for. */
  audit(audit: Audit): void;
}

/** The config of a running agent: what is in force, and how it is changed. */
export interface AgentSettings extends ConfigCommandsPort, RestartPort {
  readonly settings: Pick<Settings, "dataFolder" | "logControl" | "logRing">;
  revision(): number;
  state(): NonNullable<StatusReport["config"]>;
  /** Without secrets. */
  shown(): unknown;
}

export interface AgentCommandsParts {
  readonly agent: Agent;
  /** Of this process. */
  readonly instance: string;
  readonly settings: AgentSettings;
  /** Asked when it is needed; undefined without remote control. */
  readonly control: () => ControlFacts | undefined;
}

export interface AgentCommands {
  readonly commands: readonly Command[];
  readonly status: StatusPort;
  /** Forgets what a command has left to be done later. */
  stop(): void;
}

/** Everything that a running agent can be told, whoever tells it. */
export function agentCommands(
  config: FramepostConfig,
  { agent, instance, settings, control }: AgentCommandsParts,
  seams: Seams,
): AgentCommands {
  const { dataFolder, logControl, logRing } = settings.settings;
  const shownConfig = () => settings.shown();
  const packetBytesMax = () => control()?.packetBytesMax() ?? Infinity;
  const own = {
    ...{ agent, dataFolder, instance, packetBytesMax },
    ...{ revision: () => settings.revision(), config: () => settings.state() },
    ...{ requests: () => control()?.requests(), link: () => control()?.link() },
    commands: () => commands.map(({ spec }) => spec.name),
  };
  const status = statusPort(config, own, seams);
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
  return { commands, status, stop: () => logLevel.stop() };
}
