import type { Seams } from "../../src/core/ports.ts";
import { createLogger } from "../../src/log/logger.ts";
import type { CommandContext } from "../context.ts";
import type { FleetBroker } from "./broker.ts";

/** What the connection of a command gets: a person wants the replies, and only trouble of the connection besides. */
export function shellSeams({ clock, random, logLevel = "error" }: CommandContext, { password }: FleetBroker): Seams {
  const secrets = password === undefined ? [] : [password];
  return { clock, random, log: createLogger({ level: logLevel, secrets, journald: false }) };
}
