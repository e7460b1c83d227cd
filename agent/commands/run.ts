import { randomUUID } from "node:crypto";
import { asAgentError } from "../../src/core/errors.ts";
import type { Logger, Seams } from "../../src/core/ports.ts";
import type { Pulses } from "../../src/core/pulse.ts";
import { unlessAborted } from "../../src/link/deadline.ts";
import { healthFields, type HealthReport } from "../../src/health/health.ts";
import { type Agent, composeAgent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import type { ExitCode } from "../exit-codes.ts";
import { Lifecycle } from "../lifecycle.ts";
import { ConfigPort } from "../remote/config-port.ts";
import { agentCommands } from "../remote/commands.ts";
import { remotePart, type RemotePart } from "../remote/remote-part.ts";
import { healthReport } from "../report.ts";
import { type Round, Rounds, type RoundsPlan, throughRounds } from "../rounds.ts";
import { Hangups } from "../service/hangups.ts";
import { Service } from "../service/service.ts";
import { statusText } from "../service/status-text.ts";
import { loadSettings } from "../settings.ts";
import { watchTrial } from "../trial.ts";
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
  const config = new ConfigPort(await loadSettings(context, "config", { start: true }), context, rounds);
  const service = new Service(context);
  service.run(() => config.settings.log);
  const hangups = new Hangups(context.terminal.isWatched);
  const start = async (): Promise<Round> => {
    service.starting();
    const started = await startRound({ ...context, pulses: service.pulses, instance }, config);
    const { remote, lifecycle } = started;
    service.ready(await statusOf(started, context));
    const { log } = config.settings;
    const serve = (ended: AbortSignal) => {
      hangups.listen(() => void reload(config, { log, rounds, service }), ended);
      return Promise.all([
        untilEnded(context, started, { log, service }, ended),
        watchTrial(config, remote, { ...context, ended, rounds }),
      ]);
    };
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
  const code = await throughRounds(rounds, plan, context.signal);
  await service.ended();
  return code;
}

/** On SIGHUP: with a config that is refused everything goes on as it is. */
async function reload(
  config: ConfigPort,
  { log, rounds, service }: { readonly log: Logger; readonly rounds: Rounds; readonly service: Service },
): Promise<void> {
  service.reloading();
  try {
    await config.check();
    rounds.ask("config");
  } catch (error) {
    const { code, message } = asAgentError(error, "reading the config");
    log.error("config.not_read", { code, error: message });
    service.ready(`config refused (${code}), the one before goes on: ${log.redacted(message)}`);
  }
}

interface RoundContext extends CommandContext {
  readonly pulses: Pulses;
  /** Of this process. */
  readonly instance: string;
}

interface Started {
  readonly agent: Agent;
  readonly remote: RemotePart;
  readonly lifecycle: Lifecycle;
}

async function startRound(context: RoundContext, settings: ConfigPort): Promise<Started> {
  const { clock, random, pulses, instance } = context;
  const { config, dataFolder, log, file, warnings } = settings.settings;
  for (const message of warnings) log.warn("config.warning", { message });
  const seams: Seams = { clock, random, log, pulses };
  const agent = await composeAgent(config, { dataFolder }, seams);
  await settings.settle();
  const { spool, models, control, vision, upload, pauses, sending, capturing, updates } = agent.parts;
  const offered = agentCommands(config, { agent, instance, settings, control: () => remote.control }, seams);
  const remote: RemotePart = remotePart(config, { agent, instance, settings, offered }, seams);
  const web = await webPart(config, { agent, dataFolder, page: [] }, seams);
  const parts = [
    spool,
    agent.parts.clock,
    models,
    control,
    web,
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

/** A disk that is stuck must not keep the agent from stopping. */
async function reportInTime(agent: Agent, { clock }: CommandContext): Promise<HealthReport | undefined> {
  const asked = unlessAborted(healthReport(agent, clock), AbortSignal.timeout(healthWithinMs), "ask how all is");
  return asked.catch(() => undefined);
}

async function statusOf({ agent, remote }: Started, context: CommandContext, report?: HealthReport): Promise<string> {
  const asked = report ?? (await reportInTime(agent, context));
  if (asked === undefined) return "the disk does not answer";
  const state = remote.control?.link().state;
  return statusText(asked, state === undefined ? undefined : state === "connected" ? "up" : "away");
}

/** The last line shows how things stood when the stop was asked for. */
async function untilEnded(
  context: CommandContext,
  started: Started,
  { log, service }: { readonly log: Logger; readonly service: Service },
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    await context.clock.sleep(healthEveryMs, ended).catch(() => undefined);
    const report = await reportInTime(started.agent, context);
    if (report === undefined) continue;
    log.info("health", healthFields(report));
    service.status(await statusOf(started, context, report));
  }
}
