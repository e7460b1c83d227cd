import { createLogger } from "../src/log/logger.ts";
import { exitCodes } from "./exit-codes.ts";

/**
 * A bug of ours ends the process: its state is unknown, and the service manager starts it afresh. What it says goes
 * through the logger, because Node's own crash text would print whatever the error holds, secrets included.
 */
export class CrashGuard {
  readonly #journald: boolean;
  #secrets: readonly string[] = [];

  constructor(journald: boolean) {
    this.#journald = journald;
  }

  install(): void {
    process.on("uncaughtException", (error) => this.#crash("crash", error));
    process.on("unhandledRejection", (error) => this.#crash("crash-unhandled-rejection", error));
  }

  /** From now on these stand in no crash text. */
  hide(secrets: readonly string[]): void {
    this.#secrets = secrets;
  }

  /** Said whatever the log level is: without a word nobody could mend it. */
  #crash(event: string, error: unknown): void {
    try {
      createLogger({ level: "error", secrets: this.#secrets, journald: this.#journald }).error(event, { error });
    } finally {
      process.exit(exitCodes.failed);
    }
  }
}
