import { type Command, Option } from "commander";
import type { PrioritizeOptions } from "./commands/queue/change.ts";
import type { QueueExportOptions } from "./commands/queue/export.ts";
import type { QueueImportOptions } from "./commands/queue/import.ts";
import type { QueueListOptions } from "./commands/queue/ls.ts";
import type { SelectionOptions } from "./commands/queue/selection.ts";
import type { QueueSentOptions } from "./commands/queue/sent.ts";
import { collected, positiveInteger } from "./option-values.ts";
import type { ContextOf, Finish } from "./program.ts";

const target = ["--target <id>", "only deliveries of this target"] as const;

/** `queue …`: each command's code is imported when it runs. */
export function addQueueCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const queue = program.command("queue").description("the spool: what is kept, what is still owed, what was sent");
  addLookingCommands(queue, contextOf, finish);
  addChangingCommands(queue, contextOf, finish);
  addMovingCommands(queue, contextOf, finish);
}

function addLookingCommands(queue: Command, contextOf: ContextOf, finish: Finish): void {
  queue
    .command("stats")
    .description("records, bytes, what each target is owed, and what was lost")
    .action(async (_options: object, command: Command) => {
      const { queueStats } = await import("./commands/queue/stats.ts");
      await finish(queueStats(contextOf(command)));
    });
  queue
    .command("ls")
    .description("the records on disk, oldest first, with what is owed of each and why")
    .option(...target)
    .addOption(stateOption())
    .option("--limit <n>", "at most this many", positiveInteger, 100)
    .action(async (options: QueueListOptions, command: Command) => {
      const { queueList } = await import("./commands/queue/ls.ts");
      await finish(queueList(contextOf(command), options));
    });
  queue
    .command("show")
    .description("everything about one record")
    .argument("<record>", "its sequence, id or name")
    .option("--save <file>", "write its JPEG there")
    .action(async (record: string, options: { save?: string }, command: Command) => {
      const { queueShow } = await import("./commands/queue/show.ts");
      await finish(queueShow(contextOf(command), record, options));
    });
  queue
    .command("sent")
    .description("what targets accepted, newest first: when, which record, its remote id")
    .option(...target)
    .option("--record <record>", "only this record: its sequence, id or name")
    .option("--limit <n>", "at most this many", positiveInteger, 100)
    .action(async (options: QueueSentOptions, command: Command) => {
      const { queueSent } = await import("./commands/queue/sent.ts");
      await finish(queueSent(contextOf(command), options));
    });
}

function addChangingCommands(queue: Command, contextOf: ContextOf, finish: Finish): void {
  queue
    .command("retry")
    .description("makes deliveries due at once and forgets their tries; without a record the quarantined ones")
    .argument("[records...]", "sequences, ids or names")
    .option(...target)
    .addOption(stateOption())
    .option("--all", "of every target")
    .action(async (records: string[], options: SelectionOptions, command: Command) => {
      const { queueRetry } = await import("./commands/queue/change.ts");
      await finish(queueRetry(contextOf(command), records, options));
    });
  queue
    .command("prioritize")
    .description("puts records first: they are sent before all others and given up last")
    .argument("[records...]", "sequences, ids or names")
    .option(...target)
    .option("--camera <id>", "records of this camera")
    .option("--label <label>", "records that show this label")
    .action(async (records: string[], options: PrioritizeOptions, command: Command) => {
      const { queuePrioritize } = await import("./commands/queue/change.ts");
      await finish(queuePrioritize(contextOf(command), records, options));
    });
  queue
    .command("drop")
    .description("gives deliveries up, counted as lost; a record that nobody is owed any more is deleted")
    .argument("[records...]", "sequences, ids or names")
    .option(...target)
    .addOption(stateOption())
    .option("--all", "of every target")
    .option("--yes", "ask nothing")
    .action(async (records: string[], options: SelectionOptions & { yes?: true }, command: Command) => {
      const { queueDrop } = await import("./commands/queue/change.ts");
      await finish(queueDrop(contextOf(command), records, options));
    });
  queue
    .command("verify")
    .description("checks that every record is whole and that files, index and counters agree")
    .option("--repair", "mend what can be mended without a loss, and count what is lost already")
    .action(async (options: { repair?: true }, command: Command) => {
      const { queueVerify } = await import("./commands/queue/verify.ts");
      await finish(queueVerify(contextOf(command), options));
    });
}

function addMovingCommands(queue: Command, contextOf: ContextOf, finish: Finish): void {
  queue
    .command("export")
    .description("moves records, with what is owed of them, to a folder on another disk")
    .argument("<folder>", "a new or empty folder, or one exported to before")
    .option("--target <id>", "only records owed to this target")
    .option("--limit <n>", "at most this many", positiveInteger)
    .action(async (folder: string, options: QueueExportOptions, command: Command) => {
      const { queueExport } = await import("./commands/queue/export.ts");
      await finish(queueExport(contextOf(command), folder, options));
    });
  queue
    .command("import")
    .description("moves the records of an export folder into the spool, each once, whatever interrupts it")
    .argument("<folder>", "the folder that was exported to")
    .option("--as <there=here>", "a target's id there, and here; may be repeated", collected, [])
    .option("--drop-unknown", "give up what is owed to targets that the config does not have")
    .action(async (folder: string, options: QueueImportOptions, command: Command) => {
      const { queueImport } = await import("./commands/queue/import.ts");
      await finish(queueImport(contextOf(command), folder, options));
    });
}

function stateOption(): Option {
  return new Option("--state <state>", "only deliveries in this state").choices(["pending", "quarantined", "held"]);
}
