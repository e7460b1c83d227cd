import { z } from "zod";
import { identifier } from "../../config/values.ts";
import { remoteLimits } from "../../core/remote-limits.ts";
import { command, type Command, type CommandCall, type CommandSpec } from "../command.ts";

/** The spool: what is kept, what is owed of it, and in which order it goes. */

const nothing = z.strictObject({});

export const reference = z
  .union([z.int().min(1), z.string().regex(/^[0-9A-Za-z._-]{1,128}$/, "expected a sequence, an id or a name")])
  .describe("A record: its sequence, id or name");

export const selectorFields = {
  target: identifier.optional().describe("Only what is owed to this target"),
  records: z
    .array(reference)
    .min(1)
    .max(remoteLimits.recordsNamedMax)
    .optional()
    .describe("Only these records, by sequence, id or name"),
  camera: identifier.optional().describe("Only records of this camera"),
  label: z.string().min(1).max(128).optional().describe("Only records that show this label"),
};

const state = z.enum(["pending", "quarantined", "held"]);

export const pageFields = {
  target: selectorFields.target,
  after: z.int().min(0).default(0).describe("Records after this sequence: the last answer's next"),
  limit: z.int().min(1).max(remoteLimits.listRecordsMax).default(20).describe("At most so many records"),
};

export const tokenField = z
  .string()
  .regex(/^\d{1,15}\.\d{1,15}\.[\w-]{22}$/, "expected the token of a dry run")
  .optional()
  .describe("Of a dry run with the same arguments, whose count must still hold");

const listArgs = z.strictObject({
  ...pageFields,
  state: state.optional().describe("Only records with a delivery in this state"),
});

const flushArgs = z.strictObject({
  target: identifier.optional().describe("Every target when left out"),
  overBudget: z
    .boolean()
    .default(false)
    .describe("Also beyond what upload.bytesPerDay and upload.bytesPerMonth allow, which may cost money"),
});

const prioritizeArgs = z
  .strictObject(selectorFields)
  .refine(
    ({ records, camera, label }) => (records ?? camera ?? label) !== undefined,
    "says which records: by records, camera or label",
  );

const purgeArgs = z
  .strictObject({
    ...selectorFields,
    state: state.optional().describe("Only deliveries in this state; pending and quarantined when left out"),
    token: tokenField,
  })
  .refine(
    ({ target, state: inState, records, camera, label }) =>
      (target ?? inState ?? records ?? camera ?? label) !== undefined,
    "says which deliveries: by target, state, records, camera or label",
  );

export const queueStatsSpec = {
  name: "queue.stats",
  summary: "Says what is kept, what each target is owed and how its delivery stands, and what was lost.",
  scope: "read",
  args: nothing,
  effect: false,
  example: {},
  answer: "records, bytes, targets (with state, pending, quarantined, accepted), lost (by target and reason), upload",
} as const satisfies CommandSpec<typeof nothing>;

export const queueListSpec = {
  name: "queue.list",
  summary: "Lists records on disk, oldest first, with what is owed of each and why.",
  scope: "read",
  args: listArgs,
  effect: false,
  example: { state: "pending", limit: 10 },
  answer: "records, and next where there may be more",
} as const satisfies CommandSpec<typeof listArgs>;

export const queueFlushSpec = {
  name: "queue.flush",
  summary:
    "Sends what waits now, once: back-off, delays, a pause and the upload schedule do not hold it up. A limit, a disabled target and, unless told, a budget do.",
  scope: "queue",
  args: flushArgs,
  effect: true,
  repeatable: true,
  example: { target: "archive" },
  answer: "targets: each with its state, how many deliveries wait, and of how many the delay has ended",
} as const satisfies CommandSpec<typeof flushArgs>;

export const queuePrioritizeSpec = {
  name: "queue.prioritize",
  summary: "Puts records first: they are sent before all others, and given up last.",
  scope: "queue",
  args: prioritizeArgs,
  effect: true,
  slow: true,
  repeatable: true,
  example: { camera: "front", label: "person" },
  answer: "deliveries that were put first, and busy: those that are being sent just now",
} as const satisfies CommandSpec<typeof prioritizeArgs>;

export const queuePurgeSpec = {
  name: "queue.purge",
  summary:
    "Gives deliveries up for good, counted as dropped; a record that nobody is owed is deleted. Needs the token of a dry run.",
  scope: "admin",
  args: purgeArgs,
  effect: true,
  slow: true,
  example: { target: "archive", state: "pending" },
  answer: "with dry: deliveries and the token for doing it; else deliveries that were given up, and busy",
} as const satisfies CommandSpec<typeof purgeArgs>;

export const queueSpecs: readonly CommandSpec[] = [
  queueStatsSpec,
  queueListSpec,
  queueFlushSpec,
  queuePrioritizeSpec,
  queuePurgeSpec,
];

/** Which deliveries are meant: those that fit every key that is given. */
export interface Selector {
  readonly target?: string | undefined;
  readonly state?: z.output<typeof state> | undefined;
  readonly records?: readonly (number | string)[] | undefined;
  readonly camera?: string | undefined;
  readonly label?: string | undefined;
}

export interface QueuePage extends Pick<Selector, "target" | "state"> {
  readonly after: number;
  readonly limit: number;
}

export type StepCall = Pick<CommandCall, "dry" | "signal" | "progress">;

/** Fails with `TARGET_UNKNOWN` for a target that neither config nor spool knows, and with `QUEUE_NOT_FOUND`. */
export interface QueuePort {
  stats(): Promise<object>;
  list(page: QueuePage): Promise<object>;
  flush(target: string | undefined, call: StepCall & { readonly overBudget?: boolean }): Promise<object>;
  prioritize(selector: Selector, call: StepCall): Promise<object>;
  requeue(selector: Selector, call: StepCall): Promise<object>;
  /** Fails with `COMMAND_ARGS` without the token of a dry run, and with `QUEUE_CHANGED` where its count holds no more. */
  purge(selector: Selector, token: string | undefined, call: StepCall): Promise<object>;
}

export function queueCommands(port: QueuePort): readonly Command[] {
  return [
    command(queueStatsSpec, async () => port.stats()),
    command(queueListSpec, async (page) => port.list(page)),
    command(queueFlushSpec, async ({ target, overBudget }, call) => port.flush(target, { ...call, overBudget })),
    command(queuePrioritizeSpec, async (selector, call) => port.prioritize(selector, call)),
    command(queuePurgeSpec, async ({ token, ...selector }, call) => port.purge(selector, token, call)),
  ];
}
