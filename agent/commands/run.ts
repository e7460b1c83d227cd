import { randomUUID } from "node:crypto";
import { asAgentError } from "../../src/core/errors.ts";
import type { Logger } from "../../src/core/ports.ts";
import { unlessAborted } from "../../src/link/deadline.ts";
import { BufferForecast } from "../../src/health/forecast.ts";
import { healthFields, type HealthReport } from "../../src/health/health.ts";
import type { Agent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { type Daemon, startDaemon } from "../daemon.ts";
import type { ExitCode } from "../exit-codes.ts";
import { ConfigPort } from "../remote/config-port.ts";
import { keepGoodConfig } from "../good-config.ts";
import { healthReport } from "../report.ts";
import { type Round, Rounds, type RoundsPlan, throughRounds } from "../rounds.ts";
import { Hangups } from "../service/hangups.ts";
import { Service } from "../service/service.ts";
import { statusText } from "../service/status-text.ts";
import { loadSettings } from "../settings.ts";
import { watchTrial } from "../trial.ts";
import { PageMemory } from "../web/page-memory.ts";

/** One line about the whole agent, so that a log shows what was going on before something went wrong. */
const healthEveryMs = 60_000;
const healthWithinMs = 5_000;

/**
 * The daemon. Ends on SIGINT or SIGTERM. In between it goes through rounds: a changed config, or the command to restart,
 * stops all parts as the end would, and starts them anew. With what cannot be started it goes back to what could.
 */
export async function run(context: CommandContext): Promise<ExitCode> {
  const rounds = new Rounds();
  const forecast = new BufferForecast(context.clock);
  const config = new ConfigPort(
    await loadSettings(context, "config", { start: true, lastGood: true, partsMayLack: true }),
    context,
    rounds,
  );
  const service = new Service(context);
  service.run(() => config.settings.log);
  const shared = { pulses: service.pulses, instance: randomUUID(), forecast, memory: new PageMemory() };
  const hangups = new Hangups(context.terminal.isWatched);
  const start = async (): Promise<Round> => {
    service.starting();
    const daemon = await startDaemon({ ...context, ...shared }, config);
    service.ready(await statusOf(daemon, context));
    const { log } = config.settings;
    const serve = (ended: AbortSignal) => {
      hangups.listen(() => void reload(config, { log, rounds, service }), ended);
      return Promise.all([
        untilEnded(context, daemon, { forecast, log, service }, ended),
        watchTrial(config, daemon.remote, { ...context, ended, rounds }),
        keepGoodConfig(config.settings, { ...context, ended }),
      ]);
    };
    const stop = async (): Promise<boolean> => {
      const clean = await daemon.lifecycle.stop();
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

/** A disk that is stuck must not keep the agent from stopping. */
async function reportInTime(agent: Agent, { clock }: CommandContext): Promise<HealthReport | undefined> {
  const asked = unlessAborted(healthReport(agent, clock), AbortSignal.timeout(healthWithinMs), "ask how all is");
  return asked.catch(() => undefined);
}

async function statusOf({ agent, remote }: Daemon, context: CommandContext, report?: HealthReport): Promise<string> {
  const asked = report ?? (await reportInTime(agent, context));
  if (asked === undefined) return "the disk does not answer";
  const state = remote.control?.link().state;
  return statusText(asked, state === undefined ? undefined : state === "connected" ? "up" : "away");
}

interface Witnesses {
  readonly forecast: BufferForecast;
  readonly log: Logger;
  readonly service: Service;
}

/** The last line shows how things stood when the stop was asked for. */
async function untilEnded(
  context: CommandContext,
  daemon: Daemon,
  { forecast, log, service }: Witnesses,
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    await context.clock.sleep(healthEveryMs, ended).catch(() => undefined);
    const report = await reportInTime(daemon.agent, context);
    if (report === undefined) continue;
    if (report.spool !== undefined) forecast.note(report.spool.bytes);
    log.info("health", healthFields(report));
    service.status(await statusOf(daemon, context, report));
  }
}
