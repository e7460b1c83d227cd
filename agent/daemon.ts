import type { Seams } from "../src/core/ports.ts";
import type { Pulses } from "../src/core/pulse.ts";
import type { BufferForecast } from "../src/health/forecast.ts";
import { pageRoutes } from "../src/web/page/routes.ts";
import { type Agent, composeAgent } from "./compose.ts";
import type { CommandContext } from "./context.ts";
import { AgentHealth } from "./health/agent-health.ts";
import { Textfile } from "./health/textfile.ts";
import { Lifecycle, type Part } from "./lifecycle.ts";
import { agentCommands } from "./remote/commands.ts";
import type { ConfigPort } from "./remote/config-port.ts";
import { remotePart, type RemotePart } from "./remote/remote-part.ts";
import { configTroubles } from "./settings.ts";
import type { PageMemory } from "./web/page-memory.ts";
import { pagePart } from "./web/page-part.ts";
import { webPart } from "./web/web-part.ts";

/** What the process has through all its rounds. */
export interface DaemonContext extends CommandContext {
  readonly pulses: Pulses;
  /** Of this process. */
  readonly instance: string;
  readonly forecast: BufferForecast;
  readonly memory: PageMemory;
}

/** The agent at work, with what steers, shows and watches it. */
export interface Daemon {
  readonly agent: Agent;
  readonly remote: RemotePart;
  readonly lifecycle: Lifecycle;
}

/** One round of the daemon: everything composed from the config in force, and started. Fails with why it cannot be. */
export async function startDaemon(context: DaemonContext, settings: ConfigPort): Promise<Daemon> {
  const { clock, random, pulses, instance } = context;
  const { config, dataFolder, log, file, warnings, lacking } = settings.settings;
  for (const message of warnings) log.warn("config.warning", { message });
  const seams: Seams = { clock, random, log, pulses };
  const troubles = configTroubles(settings.settings);
  for (const message of troubles) log.error("config.refused", { message });
  const agent = await composeAgent(config, { dataFolder, troubles, lacking }, seams);
  await settings.settle();
  const offered = agentCommands(config, { agent, instance, settings, control: () => remote.control }, seams);
  const remote: RemotePart = remotePart(config, { agent, instance, settings, offered }, seams);
  const { spool, clock: bootClock, models, control, vision, upload, pauses, sending, capturing, updates } = agent.parts;
  const shown = await shownParts(context, settings, { agent, remote, offered, seams });
  const parts = [spool, bootClock, models, control, ...shown, vision, upload, ...sending, pauses, ...capturing];
  const lifecycle = new Lifecycle([...parts, updates, remote], log);
  await lifecycle.start(context.signal);
  settings.started();
  log.info("started", {
    device: agent.device,
    config: file,
    dataFolder,
    cameras: agent.cameras.map(({ id }) => id),
    targets: agent.targets.map(({ id }) => id),
    model: agent.vision.model()?.name,
  });
  return { agent, remote, lifecycle };
}

interface Steered {
  readonly agent: Agent;
  readonly remote: RemotePart;
  readonly offered: ReturnType<typeof agentCommands>;
  readonly seams: Seams;
}

/** Health, the page and metrics: before what they show, so that a slow start can be watched. */
async function shownParts(
  { forecast, memory, clock }: DaemonContext,
  settings: ConfigPort,
  { agent, remote, offered, seams }: Steered,
): Promise<readonly Part[]> {
  const { config, dataFolder } = settings.settings;
  const control = () => remote.control;
  const changes = () => ({
    revision: settings.revision(),
    lastChangeKept: settings.state().lastChange?.state !== "reverted" && settings.settings.refused === undefined,
    isLastGood: settings.settings.standIn !== undefined,
  });
  const pageCommands = () => memory.commands.snapshot();
  const health = new AgentHealth({ agent, config, dataFolder, forecast, control, changes, pageCommands }, clock);
  const page = pagePart(config, { agent, memory, settings, offered, control }, seams);
  const web = await webPart(config, { ports: health, page: [pageRoutes(page.port, clock)] }, seams);
  const { textfile: path, every: everyMs } = config.metrics;
  const textfile = new Textfile({ path, everyMs, text: () => health.metrics() }, seams);
  return [health, ...(config.web.enabled ? [page, web] : []), textfile];
}
