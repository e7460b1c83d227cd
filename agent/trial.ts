import type { Clock } from "../src/core/clock.ts";
import { asAgentError } from "../src/core/errors.ts";
import type { ConfigPort } from "./remote/config-port.ts";
import type { RemotePart } from "./remote/remote-part.ts";
import type { Rounds } from "./rounds.ts";

/** A changed config stays when the broker is reached with it; else the one before is started again. */
export async function watchTrial(
  config: ConfigPort,
  remote: Pick<RemotePart, "connected" | "lastError">,
  { clock, ended, rounds }: { readonly clock: Clock; readonly ended: AbortSignal; readonly rounds: Rounds },
): Promise<void> {
  const trial = config.trial();
  if (trial === undefined) return;
  const over = new AbortController();
  const signal = AbortSignal.any([ended, over.signal]);
  const reached = await Promise.race([
    remote.connected(signal).then(
      () => !signal.aborted,
      () => false,
    ),
    clock.sleep(trial.withinMs, signal).then(
      () => false,
      () => false,
    ),
  ]);
  over.abort();
  // What ends the process leaves a trial on disk, and the next start reverts it.
  if (ended.aborted) return;
  try {
    if (reached) {
      await config.keep();
      return;
    }
    await config.revert(`the broker was not reached within ${trial.withinMs} ms: ${remote.lastError() ?? "no answer"}`);
  } catch (error) {
    await config.revert(asAgentError(error, "keeping the config").message);
  }
  rounds.ask("config");
}
