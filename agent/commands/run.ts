import { randomUUID } from "node:crypto";
import { pulseLimits } from "../../src/core/limits.ts";
import type { Logger } from "../../src/core/ports.ts";
import { Pulses } from "../../src/core/pulse.ts";
import { unlessAborted } from "../../src/link/deadline.ts";
import { BufferForecast } from "../../src/health/forecast.ts";
import { healthFields } from "../../src/health/health.ts";
import type { Agent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { startDaemon } from "../daemon.ts";
import type { ExitCode } from "../exit-codes.ts";
import { ConfigPort } from "../remote/config-port.ts";
import { keepGoodConfig } from "../good-config.ts";
import { healthReport } from "../report.ts";
import { type Round, Rounds, type RoundsPlan, throughRounds } from "../rounds.ts";
import { beatEventLoop } from "../service/event-loop.ts";
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
  const instance = randomUUID();
  const memory = new PageMemory();
  const pulses = new Pulses(context.clock, pulseLimits.periodMs);
  void beatEventLoop(pulses, context.clock, context.signal);
  const forecast = new BufferForecast(context.clock);
  const config = new ConfigPort(
    await loadSettings(context, "config", { start: true, lastGood: true }),
    context,
    rounds,
  );
  const start = async (): Promise<Round> => {
    const { agent, remote, lifecycle } = await startDaemon({ ...context, pulses, instance, forecast, memory }, config);
    const { log } = config.settings;
    const serve = (ended: AbortSignal) =>
      Promise.all([
        untilEnded(context, { agent, forecast }, log, ended),
        watchTrial(config, remote, { ...context, ended, rounds }),
        keepGoodConfig(config.settings, { ...context, ended }),
      ]);
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

/** The last line shows how things stood when the stop was asked for. */
async function untilEnded(
  { clock }: CommandContext,
  { agent, forecast }: { readonly agent: Agent; readonly forecast: BufferForecast },
  log: Logger,
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    await clock.sleep(healthEveryMs, ended).catch(() => undefined);
    // A disk that is stuck must not keep the agent from stopping.
    const asked = unlessAborted(healthReport(agent, clock), AbortSignal.timeout(healthWithinMs), "ask how all is");
    const report = await asked.catch(() => undefined);
    if (report === undefined) continue;
    if (report.spool !== undefined) forecast.note(report.spool.bytes);
    log.info("health", healthFields(report));
  }
}
