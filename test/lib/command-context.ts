import { Writable } from "node:stream";
import type { CommandContext } from "../../agent/context.ts";
import { Terminal } from "../../agent/terminal.ts";
import { SystemClock } from "../../src/core/clock.ts";

/** For a command that runs inside the test and prints to nobody. */
export function commandContext(environment: CommandContext["environment"] = {}): CommandContext {
  const clock = new SystemClock();
  const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() });
  return {
    terminal: new Terminal(nowhere(), nowhere(), clock),
    clock,
    random: Math.random,
    environment,
    signal: new AbortController().signal,
    hide: () => undefined,
    json: false,
  };
}
