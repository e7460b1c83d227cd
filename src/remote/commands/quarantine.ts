import { z } from "zod";
import { command, type Command, type CommandSpec } from "../command.ts";
import { pageFields, type QueuePort, selectorFields, tokenField } from "./queue.ts";

/** What was set aside for good: refused by its target, or given up after too many tries. */

const listArgs = z.strictObject(pageFields);
const requeueArgs = z.strictObject(selectorFields);
const purgeArgs = z.strictObject({ ...selectorFields, token: tokenField });

export const quarantineListSpec = {
  name: "quarantine.list",
  summary: "Lists records with deliveries that are set aside, oldest first, with their reasons.",
  scope: "read",
  args: listArgs,
  effect: false,
  example: { limit: 10 },
  answer: "as of queue.list",
} as const satisfies CommandSpec<typeof listArgs>;

export const quarantineRequeueSpec = {
  name: "quarantine.requeue",
  summary: "Owes again what was set aside, as if it had never been tried: all of it, or what is selected.",
  scope: "queue",
  args: requeueArgs,
  effect: true,
  slow: true,
  repeatable: true,
  example: { target: "archive" },
  answer: "deliveries that are owed again, and busy",
} as const satisfies CommandSpec<typeof requeueArgs>;

export const quarantinePurgeSpec = {
  name: "quarantine.purge",
  summary: "Gives up what was set aside: all of it, or what is selected. Needs the token of a dry run.",
  scope: "admin",
  args: purgeArgs,
  effect: true,
  slow: true,
  example: { records: [42] },
  answer: "as of queue.purge",
} as const satisfies CommandSpec<typeof purgeArgs>;

export const quarantineSpecs: readonly CommandSpec[] = [quarantineListSpec, quarantineRequeueSpec, quarantinePurgeSpec];

const state = "quarantined";

export function quarantineCommands(port: Pick<QueuePort, "list" | "requeue" | "purge">): readonly Command[] {
  return [
    command(quarantineListSpec, async (page) => port.list({ ...page, state })),
    command(quarantineRequeueSpec, async (selector, call) => port.requeue({ ...selector, state }, call)),
    command(quarantinePurgeSpec, async ({ token, ...selector }, call) =>
      port.purge({ ...selector, state }, token, call),
    ),
  ];
}
