import { AgentError } from "../../../src/core/errors.ts";
import type { DeliverySelection, Queue, QueueStats, QueueStep } from "../../../src/core/queue.ts";
import type { SpoolListing } from "../../../src/core/ports.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { progressBar } from "../../progress.ts";
import { withQueue } from "../../queue-access.ts";
import { Questions } from "../../questions.ts";
import { loadSettings } from "../../settings.ts";
import { foundRecord, mustKnow, mustName, selectionOf, type SelectionOptions } from "./selection.ts";

interface Changed {
  readonly changed: number;
  readonly busy: number;
}

/** Makes deliveries due again: of the records named, else the quarantined ones of a target or of all. */
export async function queueRetry(
  context: CommandContext,
  references: readonly string[],
  options: SelectionOptions,
): Promise<ExitCode> {
  mustName("retry", references, options);
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    const stats = await queue.stats();
    mustKnow(options.target, settings, stats);
    const found = await recordsOf(queue, references);
    const selections = selectionsOf(found, options, "quarantined");
    const retry = async (selection: DeliverySelection, after: number): Promise<QueueStep> =>
      await queue.retry(selection, after);
    return told(context, await inSteps(context, selections, stats, retry), "due again");
  });
}

export interface PrioritizeOptions {
  readonly target?: string;
  readonly camera?: string;
  readonly label?: string;
}

/** Puts records first: those named, or those of a camera or with a label. */
export async function queuePrioritize(
  context: CommandContext,
  references: readonly string[],
  { target, camera, label }: PrioritizeOptions,
): Promise<ExitCode> {
  if (references.length === 0 && camera === undefined && label === undefined) {
    const message = "queue prioritize: name records, or a camera with --camera ID, or a label with --label NAME";
    throw new AgentError("USAGE_SELECTION", message, { disposition: "fatal" });
  }
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    const stats = await queue.stats();
    mustKnow(target, settings, stats);
    const content = {
      ...(camera === undefined ? {} : { cameraId: camera }),
      ...(label === undefined ? {} : { label }),
    };
    const found = await recordsOf(queue, references);
    const selections = selectionsOf(found, target === undefined ? {} : { target }).map((one) => ({
      ...one,
      ...content,
    }));
    const prioritize = async (selection: DeliverySelection, after: number): Promise<QueueStep> =>
      await queue.prioritize(selection, after);
    return told(context, await inSteps(context, selections, stats, prioritize), "put first");
  });
}

/** Gives deliveries up, after a question at a terminal. Their records go with the last delivery, and all is counted. */
export async function queueDrop(
  context: CommandContext,
  references: readonly string[],
  options: SelectionOptions & { readonly yes?: true },
): Promise<ExitCode> {
  mustName("drop", references, options);
  if (options.yes !== true && !process.stdin.isTTY) {
    throw new AgentError("USAGE_YES", "queue drop: what is dropped is gone; add --yes where nobody can be asked", {
      disposition: "fatal",
    });
  }
  const settings = await loadSettings(context);
  return await withQueue(context, settings, async (queue) => {
    const stats = await queue.stats();
    mustKnow(options.target, settings, stats);
    const found = await recordsOf(queue, references);
    if (options.yes !== true && !(await agreed(context, affected(found, options, stats)))) {
      context.terminal.note("nothing was dropped");
      return exitCodes.ok;
    }
    const selections = selectionsOf(found, options);
    const drop = async (selection: DeliverySelection, after: number): Promise<QueueStep> =>
      await queue.drop(selection, after);
    return told(context, await inSteps(context, selections, stats, drop), "dropped");
  });
}

/** All of them before any is changed: a slip in one name stops the whole command. */
async function recordsOf(queue: Queue, references: readonly string[]): Promise<readonly SpoolListing[]> {
  const found: SpoolListing[] = [];
  for (const reference of references) found.push(await foundRecord(queue, reference));
  return found;
}

/** One for each record that was named; where none was, one for all. */
function selectionsOf(
  found: readonly SpoolListing[],
  options: SelectionOptions,
  stateElse?: SelectionOptions["state"],
): readonly DeliverySelection[] {
  if (found.length === 0) return [selectionOf(options, undefined, stateElse)];
  return found.map(({ record }) => selectionOf(options, record.sequence));
}

async function inSteps(
  { terminal, signal }: CommandContext,
  selections: readonly DeliverySelection[],
  { lastSequence }: QueueStats,
  change: (selection: DeliverySelection, afterSequence: number) => Promise<QueueStep>,
): Promise<Changed> {
  let changed = 0;
  let busy = 0;
  for (const [index, selection] of selections.entries()) {
    for (let afterSequence = 0, done = false; !done;) {
      signal.throwIfAborted();
      const step = await change(selection, afterSequence);
      changed += step.changed;
      busy += step.busy;
      ({ lastSequence: afterSequence, done } = step);
      const share =
        selections.length === 1 ? afterSequence / Math.max(1, lastSequence) : (index + 1) / selections.length;
      if (!done || selections.length > 1) terminal.status(`${progressBar(share, 1)}  ${deliveries(changed)}`);
    }
  }
  return { changed, busy };
}

/** What is being sent just now is nobody's to take away: whoever wants it changed tries again. */
function told({ terminal, json }: CommandContext, { changed, busy }: Changed, what: string): ExitCode {
  if (json) terminal.data(JSON.stringify({ changed, busy }));
  else {
    terminal.data(`${deliveries(changed)} ${what}`);
    if (busy > 0) terminal.note(`${deliveries(busy)} left alone: being sent just now`);
  }
  return busy > 0 ? exitCodes.tryLater : exitCodes.ok;
}

/** In words, how much a drop takes away: told by the counters, or by the records that were named. */
function affected(found: readonly SpoolListing[], { target, state }: SelectionOptions, stats: QueueStats): string {
  if (found.length > 0) {
    const fitting = found
      .flatMap((listing) => listing.deliveries)
      .filter((owed) => (target ?? owed.targetId) === owed.targetId && (state ?? owed.state) === owed.state);
    return `${deliveries(fitting.length)} of ${found.map(({ record }) => record.name).join(", ")}`;
  }
  const backlogs = stats.targets.filter(({ targetId }) => (target ?? targetId) === targetId);
  const sum = (key: "pending" | "quarantined"): number => backlogs.reduce((total, backlog) => total + backlog[key], 0);
  const counts = (["pending", "quarantined"] as const)
    .filter((key) => (state ?? key) === key && sum(key) > 0)
    .map((key) => `${sum(key)} ${key}`);
  // Of held ones no count is kept: they are few, and on their way elsewhere.
  const parts = [...counts, ...((state ?? "held") === "held" ? ["any held"] : [])];
  return `${parts.join(" and ") || "no"} deliveries of ${target ?? "every target"}`;
}

async function agreed({ signal }: CommandContext, what: string): Promise<boolean> {
  const questions = new Questions(process.stdin, process.stderr, signal);
  try {
    const question = `drop ${what}? Records that nobody else is owed are deleted. yes or no`;
    return /^y(es)?$/i.test(await questions.text(question, "no"));
  } finally {
    questions.close();
  }
}

function deliveries(count: number): string {
  return count === 1 ? "1 delivery" : `${count} deliveries`;
}
