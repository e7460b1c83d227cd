import { z } from "zod";
import { command, type Command, type CommandSpec } from "../command.ts";

/** All parts stopped and started anew, in the same process. */

const nothing = z.strictObject({});

export const restartSpec = {
  name: "restart",
  summary: "Stops all parts, reads the config anew, and starts them again, the vision process too.",
  scope: "admin",
  args: nothing,
  effect: true,
  example: {},
  answer: "empty; it comes before the restart",
} as const satisfies CommandSpec<typeof nothing>;

export const restartSpecs: readonly CommandSpec[] = [restartSpec];

export interface RestartPort {
  /** Fails with `CONFIG_…` where the config on disk could not be started with. */
  check(): Promise<void>;
  restart(): void;
}

export function restartCommands(port: RestartPort): readonly Command[] {
  return [
    command(restartSpec, async (_args, call) => {
      await port.check();
      if (!call.dry) call.afterReply(() => port.restart());
      return undefined;
    }),
  ];
}
