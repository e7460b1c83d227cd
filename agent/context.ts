import type { Clock } from "../src/core/clock.ts";
import type { Random } from "../src/core/ports.ts";
import type { Terminal } from "./terminal.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** What every sub-command gets: the world it may touch, and the options that all of them share. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly random: Random;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Once secrets are known: neither a note nor a crash shows them from then on. */
  readonly hide: (secrets: readonly string[]) => void;
  readonly json: boolean;
  /** The operator's file; commands that need one fall back on `configFileOf`. */
  readonly configFile?: string;
  /** Overrides `dataDir` of the config. */
  readonly dataFolder?: string;
  readonly logLevel?: LogLevel;
}
