import { join, resolve } from "node:path";
import type { Clock } from "../src/core/clock.ts";
import { asAgentError } from "../src/core/errors.ts";
import { stateLimits } from "../src/core/limits.ts";
import { openGoodConfigs, withGoodConfig } from "../src/state/good-configs.ts";
import type { Settings } from "./settings.ts";
import { agentVersion } from "./version.ts";

/** Once the agent ran for a while with the operator's file, that is what a later one falls back on. */
export async function keepGoodConfig(
  { file, operator, standIn, dataFolder, log }: Pick<Settings, "file" | "operator" | "standIn" | "dataFolder" | "log">,
  { clock, ended }: { readonly clock: Clock; readonly ended: AbortSignal },
): Promise<void> {
  if (standIn !== undefined) return;
  await clock.sleep(stateLimits.goodAfterMs, ended).catch(() => undefined);
  if (ended.aborted) return;
  try {
    const { text, digest } = operator;
    const kept = await openGoodConfigs(join(dataFolder, "state"));
    const next = withGoodConfig(kept.read(), { file: resolve(file), text, digest, agentVersion: agentVersion() });
    if (next !== undefined) await kept.update(() => next);
  } catch (error) {
    // A disk without room for it is no reason to stop.
    const { code, message } = asAgentError(error, "keeping the config that works");
    log.warn("config.not_kept", { code, error: message });
  }
}
