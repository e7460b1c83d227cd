import { randomUUID } from "node:crypto";
import { pulseLimits } from "../../src/core/limits.ts";
import type { Logger, Seams } from "../../src/core/ports.ts";
import { Pulses } from "../../src/core/pulse.ts";
import { unlessAborted } from "../../src/link/deadline.ts";
import { healthFields } from "../../src/health/health.ts";
import { pageRoutes } from "../../src/web/page/routes.ts";
import { type Agent, composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import type { ExitCode } from "../exit-codes.ts";
import { Lifecycle } from "../lifecycle.ts";
import { ConfigPort } from "../remote/config-port.ts";
import { agentCommands } from "../remote/commands.ts";
import { remotePart, type RemotePart } from "../remote/remote-part.ts";
import { healthReport } from "../report.ts";
import { type Round, Rounds, type RoundsPlan, throughRounds } from "../rounds.ts";
import { beatEventLoop } from "../service/event-loop.ts";
import { loadSettings } from "../settings.ts";
import { watchTrial } from "../trial.ts";
import { PageMemory } from "../web/page-memory.ts";
import { pagePart } from "../web/page-part.ts";
import { webPart } from "../web/web-part.ts";

/** One line about the whole agent, so that a log shows what was going on before something went wrong. */
const healthEveryMs = 60_000;
const healthWithinMs = 5_000;

/**
 * The daemon. Ends on SIGINT or SIGTERM. In between it goes through rounds: a changed config, or the command to restart,
 * stops all parts as the end would, and starts them anew. With what cannot be started it goes back to what could.
 */
export async function run(context: CommandContext): Promise<ExitCode> {
  const rounds = new Rounds();
  const instance = randomUUID();
  const memory = new PageMemory();
  const pulses = new Pulses(context.clock, pulseLimits.periodMs);
  void beatEventLoop(pulses, context.clock, context.signal);
  const config = new ConfigPort(await loadSettings(context, "config", { start: true }), context, rounds);
  const start = async (): Promise<Round> => {
    const { agent, remote, lifecycle } = await startRound({ ...context, pulses, instance, memory }, config);
    const { log } = config.settings;
    const serve = (ended: AbortSignal) =>
      Promise.all([untilEnded(context, agent, log, ended), watchTrial(config, remote, { ...context, ended, rounds })]);
    const stop = async (): Promise<boolean> => {
      const clean = await lifecycle.stop();
      config.settings.logControl.sayCounted();
      return clean;
    };
    return { serve, stop };
  };
  const plan: RoundsPlan = {
    start,
    goBack: (error) => config.goBack(error),
    reload: () => config.reload(),
    log: () => config.settings.log,
  };
  return throughRounds(rounds, plan, context.signal);
}

interface RoundContext extends CommandContext {
  readonly pulses: Pulses;
  /** Of this process. */
  readonly instance: string;
  readonly memory: PageMemory;
}

interface Started {
  readonly agent: Agent;
  readonly remote: RemotePart;
  readonly lifecycle: Lifecycle;
}

async function startRound(context: RoundContext, settings: ConfigPort): Promise<Started> {
  const { clock, random, pulses, instance, memory } = context;
  const { config, dataFolder, log, file, warnings } = settings.settings;
  for (const message of warnings) log.warn("config.warning", { message });
  const seams: Seams = { clock, random, log, pulses };
  const agent = await composeAgent(config, { dataFolder }, seams);
  await settings.settle();
  const { spool, models, control, vision, upload, pauses, sending, capturing, updates } = agent.parts;
  const offered = agentCommands(config, { agent, instance, settings, control: () => remote.control }, seams);
  const remote: RemotePart = remotePart(config, { agent, instance, settings, offered }, seams);
  const page = pagePart(config, { agent, memory, settings, offered, control: () => remote.control }, seams);
  const web = await webPart(config, { agent, dataFolder, page: [pageRoutes(page.port, clock)] }, seams);
  const shown = config.web.enabled ? [page, web] : [];
  const parts = [
    spool,
    agent.parts.clock,
    models,
    control,
    ...shown,
    vision,
    upload,
    ...sending,
    pauses,
    ...capturing,
    updates,
    remote,
  ];
  const lifecycle = new Lifecycle(parts, log);
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

/** The last line shows how things stood when the stop was asked for. */
async function untilEnded({ clock }: CommandContext, agent: Agent, log: Logger, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await clock.sleep(healthEveryMs, ended).catch(() => undefined);
    // A disk that is stuck must not keep the agent from stopping.
    const asked = unlessAborted(healthReport(agent, clock), AbortSignal.timeout(healthWithinMs), "ask how all is");
    const report = await asked.catch(() => undefined);
    if (report !== undefined) log.info("health", healthFields(report));
  }
}
