import type { Logger } from "../src/core/ports.ts";
import { exitCodes } from "./exit-codes.ts";

/**
 * A bug of ours ends the process: its state is unknown, and the service manager starts it afresh. What it says goes
 * through the logger, because Node's own crash text would print whatever the error holds, secrets included.
 */
export function guardCrashes(log: Logger): void {
  const crash = (event: string) => (error: unknown) => {
    log.error(event, { error });
    process.exit(exitCodes.failed);
  };
  process.on("uncaughtException", crash("crash"));
  process.on("unhandledRejection", crash("crash-unhandled-rejection"));
}
