import { z } from "zod";
import { command, type Command, type CommandSpec } from "../command.ts";
import type { Settings, SettingsCall } from "../settings.ts";

/** The config: what it is, and changes that are tried before they stay. */

const getArgs = z.strictObject({
  path: z
    .string()
    .max(512)
    .regex(/^(\/[^/]*)*$/, "expected a JSON pointer such as /cameras/front/interval")
    .default("")
    .describe("JSON pointer of a part; all of it when left out. Cameras and targets are objects by their id"),
});

export const configGetSpec = {
  name: "config.get",
  summary: "Shows the config in force with every default filled in, or a part of it. Secrets are masked.",
  scope: "read",
  args: getArgs,
  effect: false,
  example: { path: "/cameras/front/interval" },
  answer: "revision, the value, the JSON pointers of what commands changed, and what came of the last change",
} as const satisfies CommandSpec<typeof getArgs>;

const patchArgs = z.strictObject({
  patch: z
    .record(z.string(), z.unknown())
    .describe("JSON merge patch (RFC 7396): null takes a setting away. Cameras and targets are objects by their id"),
});

export const configPatchSpec = {
  name: "config.patch",
  summary:
    "Changes the config. Taken back by itself when the broker is not reached with it, or something cannot be started. Addresses, credentials, and what may stop collecting need the scope admin.",
  scope: "config",
  args: patchArgs,
  effect: true,
  slow: true,
  example: { patch: { cameras: { front: { interval: "5s", keep: { minScore: 0.4 } } } } },
  answer: "revision, the JSON pointers of what changed, and whether parts were started anew",
} as const satisfies CommandSpec<typeof patchArgs>;

const nothing = z.strictObject({});

export const configRollbackSpec = {
  name: "config.rollback",
  summary: "Goes back to the config before the last change; once more brings that change again.",
  scope: "config",
  args: nothing,
  effect: true,
  slow: true,
  example: {},
  answer: "the same as of config.patch",
} as const satisfies CommandSpec<typeof nothing>;

export const configSpecs: readonly CommandSpec[] = [configGetSpec, configPatchSpec, configRollbackSpec];

export interface ConfigCommandsPort extends Settings {
  /** Fails with `CONFIG_PATH_UNKNOWN`. */
  get(pointer: string): Promise<object>;
  /** Fails with `CONFIG_PREVIOUS_NOT_FOUND`, and as `change` does. */
  rollback(call: SettingsCall): Promise<object>;
  /** A patch with its secrets masked. */
  shownPatch(patch: object): unknown;
}

export function configCommands(port: ConfigCommandsPort): readonly Command[] {
  const patching = command(configPatchSpec, async ({ patch }, call) => port.change(patch, call));
  return [
    command(configGetSpec, async ({ path }) => port.get(path)),
    { ...patching, shown: (args) => ({ patch: port.shownPatch(patchArgs.parse(args).patch) }) },
    command(configRollbackSpec, async (_args, call) => port.rollback(call)),
  ];
}
