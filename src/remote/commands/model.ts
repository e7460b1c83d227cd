import { z } from "zod";
import { command, type Command, type CommandCall, type CommandSpec } from "../command.ts";

/** The detector model in use. Every change is proven here first, and goes back by itself when it fails. */

const nothing = z.strictObject({});
const word = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}";

const selectArgs = z.strictObject({
  model: z
    .string()
    .regex(new RegExp(`^${word}(@${word})?$`), "expected NAME or NAME@VERSION of an installed model")
    .describe("NAME or NAME@VERSION of an installed model"),
});

export const modelListSpec = {
  name: "model.list",
  summary: "Lists the models on the device, which one is in use, and how updates stand.",
  scope: "read",
  args: nothing,
  effect: false,
  example: {},
  answer: "inUse, pinnedTo where the config names the model, models (each with its size and state), probation, updates",
} as const satisfies CommandSpec<typeof nothing>;

export const modelFetchSpec = {
  name: "model.fetch",
  summary:
    "Looks for a signed release at the configured origin (detector.updates) now, and takes it as updates do: fetched, verified, proven on its golden picture, in use on probation.",
  scope: "config",
  args: nothing,
  effect: true,
  slow: true,
  example: {},
  answer: "found (in-use, nothing-new, refused-before or later), model, and why where it is not in use",
} as const satisfies CommandSpec<typeof nothing>;

export const modelSelectSpec = {
  name: "model.select",
  summary: "Puts an installed model to use: loaded and proven beside the one in use, then on probation.",
  scope: "config",
  args: selectArgs,
  effect: true,
  slow: true,
  example: { model: "yard@8" },
  answer: "to, from, runMs (median of a run in the proof), probationMs and notes",
} as const satisfies CommandSpec<typeof selectArgs>;

export const modelRollbackSpec = {
  name: "model.rollback",
  summary: "Goes back to the model that was in use before, or to the one that ships where that is gone.",
  scope: "config",
  args: nothing,
  effect: true,
  slow: true,
  example: {},
  answer: "as of model.select",
} as const satisfies CommandSpec<typeof nothing>;

export const modelSpecs: readonly CommandSpec[] = [modelListSpec, modelFetchSpec, modelSelectSpec, modelRollbackSpec];

/** With `dry` nothing changes: the answer is what would. */
export interface ModelPort {
  list(): Promise<object>;
  /** Fails with `MODEL_NO_ORIGIN`, `MODEL_PINNED`, `MODEL_BUSY`, `RELEASE_…`, and what fetching and proving fail with. */
  fetch(call: Pick<CommandCall, "dry" | "signal" | "progress">): Promise<object>;
  /** Fails with `MODEL_PINNED`, `MODEL_NOT_FOUND`, and what the proof found. */
  select(model: string, call: Pick<CommandCall, "dry">): Promise<object>;
  rollback(call: Pick<CommandCall, "dry">): Promise<object>;
}

export function modelCommands(port: ModelPort): readonly Command[] {
  return [
    command(modelListSpec, async () => port.list()),
    command(modelFetchSpec, async (_, call) => port.fetch(call)),
    command(modelSelectSpec, async ({ model }, call) => port.select(model, call)),
    command(modelRollbackSpec, async (_, call) => port.rollback(call)),
  ];
}
