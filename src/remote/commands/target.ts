import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { command, type Command, type CommandCall, type CommandSpec } from "../command.ts";
import type { Settings } from "../settings.ts";

/** Where records are sent to. */

const nothing = z.strictObject({});
const targetArgs = z.strictObject({ target: identifier.describe("Its id") });

export const targetListSpec = {
  name: "target.list",
  summary: "Lists the targets: how each stands, what it is owed, and what it has accepted.",
  scope: "read",
  args: nothing,
  effect: false,
  example: {},
  answer: "targets: id, kind, state, since when, pending, quarantined, accepted, and why it is away",
} as const satisfies CommandSpec<typeof nothing>;

export const targetTestSpec = {
  name: "target.test",
  summary: "Checks whether a target can be reached with its credentials. Sends no data.",
  scope: "queue",
  args: targetArgs,
  effect: false,
  example: { target: "archive" },
  answer: "tookMs",
} as const satisfies CommandSpec<typeof targetArgs>;

export const targetEnableSpec = {
  name: "target.enable",
  summary: "Lets a target have its records again, those too that it was owed meanwhile.",
  scope: "config",
  args: targetArgs,
  effect: true,
  slow: true,
  example: { target: "archive" },
  answer: "as of config.patch",
} as const satisfies CommandSpec<typeof targetArgs>;

export const targetDisableSpec = {
  name: "target.disable",
  summary: "Sends a target nothing more. Records are owed to it all the same, within its backlog.",
  scope: "config",
  args: targetArgs,
  effect: true,
  slow: true,
  example: { target: "archive" },
  answer: "as of config.patch",
} as const satisfies CommandSpec<typeof targetArgs>;

export const targetSpecs: readonly CommandSpec[] = [
  targetListSpec,
  targetTestSpec,
  targetEnableSpec,
  targetDisableSpec,
];

export interface TargetPort {
  list(): Promise<object>;
  /** Fails with `TARGET_UNKNOWN`, or `TARGET_TEST_FAILED` and the reason. */
  test(target: string, signal: AbortSignal): Promise<object>;
  /** Fails with `TARGET_UNKNOWN` for one that is not configured. */
  mustKnow(target: string): void;
}

export function targetCommands(port: TargetPort, settings: Settings): readonly Command[] {
  const enable = async (target: string, enabled: boolean, call: CommandCall): Promise<object> => {
    port.mustKnow(target);
    return settings.change({ targets: { [target]: { enabled } } }, call);
  };
  return [
    command(targetListSpec, async () => port.list()),
    command(targetTestSpec, async ({ target }, { signal }) => port.test(target, signal)),
    command(targetEnableSpec, async ({ target }, call) => enable(target, true, call)),
    command(targetDisableSpec, async ({ target }, call) => enable(target, false, call)),
  ];
}
