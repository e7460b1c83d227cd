import type { Logger, Seams } from "../../src/core/ports.ts";
import { healthFields } from "../../src/health/health.ts";
import { shownConfig } from "../../src/config/redact.ts";
import { type Agent, composeAgent } from "../compose.ts";
import { configSchema } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { Lifecycle } from "../lifecycle.ts";
import { remotePart } from "../remote/remote-part.ts";
import { healthReport } from "../report.ts";
import { loadSettings } from "../settings.ts";

/** One line about the whole agent, so that a log shows what was going on before something went wrong. */
const healthEveryMs = 60_000;

/** The daemon. Ends on SIGINT or SIGTERM. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const settings = await loadSettings(context, "config");
  const { config, dataFolder, log, file, warnings, logControl, logRing } = settings;
  for (const message of warnings) log.warn("config.warning", { message });
  const seams: Seams = { clock: context.clock, random: context.random, log };
  const agent = await composeAgent(config, { dataFolder }, seams);
  const { spool, models, control, vision, upload, pauses, sending, capturing, updates } = agent.parts;
  const shown = () => shownConfig(configSchema, config, settings);
  const remote = remotePart(config, { agent, dataFolder, logControl, logRing, shownConfig: shown }, seams);
  const parts = [spool, models, control, vision, upload, ...sending, pauses, ...capturing, updates, remote];
  const lifecycle = new Lifecycle(parts, log);
  await lifecycle.start(context.signal);
  log.info("started", {
    device: agent.device,
    config: file,
    dataFolder,
    cameras: agent.cameras.map(({ id }) => id),
    targets: agent.targets.map(({ id }) => id),
    model: agent.vision.model()?.name,
  });
  await untilStopped(context, agent, log);
  log.info("stopping");
  const clean = await lifecycle.stop();
  log.info("stopped", { clean });
  return clean ? exitCodes.ok : exitCodes.failed;
}

/** The last line shows how things stood when the stop was asked for. */
async function untilStopped({ clock, signal }: CommandContext, agent: Agent, log: Logger): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(healthEveryMs, signal).catch(() => undefined);
    log.info("health", healthFields(await healthReport(agent, clock)));
  }
}
