import { ControlClient } from "../src/control/client.ts";
import { AgentError } from "../src/core/errors.ts";
import type { Queue } from "../src/core/queue.ts";
import type { CommandContext } from "./context.ts";
import { controlPathOf } from "./locations.ts";
import { actAsOwnerOf } from "./owner.ts";
import type { Settings } from "./settings.ts";

/** A daemon that starts has the spool's lock a moment before its socket; another command is done soon. */
const lockedTriesMax = 50;
const lockedPauseMs = 200;
const tellAfterTries = 5;

/**
 * The queue: the running daemon's, over its socket, else that of the spool itself, opened for the time of `use`. In both
 * cases the process acts as the data folder's owner. Fails with `SPOOL_LOCKED` while another command has the spool.
 */
export async function withQueue<T>(
  context: CommandContext,
  settings: Pick<Settings, "config" | "dataFolder" | "log">,
  use: (queue: Queue) => Promise<T>,
): Promise<T> {
  const { terminal, clock, random, signal } = context;
  const { config, dataFolder, log } = settings;
  await actAsOwnerOf(dataFolder);
  const daemon = new ControlClient(controlPathOf(dataFolder), signal);
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted();
    if (await daemon.reaches()) return await use(daemon);
    // Only now: what a spool is made of takes longer to load than most answers of a daemon.
    const { openSpool } = await import("./open-spool.ts");
    const { spool } = await openSpool(config, dataFolder, { clock, random, log }, { readOnly: true });
    try {
      await spool.start(signal);
    } catch (error) {
      await spool.stop();
      if (!isLocked(error) || tries >= lockedTriesMax) throw error;
      if (tries === tellAfterTries) terminal.status("waiting for another command to end");
      await clock.sleep(lockedPauseMs, signal);
      continue;
    }
    try {
      return await use(spool.queue);
    } finally {
      await spool.stop();
    }
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof AgentError && error.code === "SPOOL_LOCKED";
}
