import { AgentError } from "../../src/core/errors.ts";
import { HttpLink } from "../../src/link/http.ts";
import { connection } from "../../src/targets/config.ts";
import type { CommandContext } from "../context.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { accessOf } from "../platforms/access.ts";
import { DryRunLink, type ShownRequest } from "../platforms/dry-run.ts";
import { requestLines } from "../platforms/run-operation.ts";
import { progressBar } from "../progress.ts";
import { type PullJob, pullDataset, type PullSummary } from "../pull/pull.ts";
import { type PullKind, pullKinds } from "../pull/sources.ts";
import { counted } from "../terminal.ts";

export interface DatasetPullOptions extends Pick<PullJob, "to" | "format"> {
  readonly from: string;
  readonly class: readonly string[];
  readonly target?: string;
  readonly dryRun?: true;
}

/** What people have labelled on a platform, ready for training. Exit 1 when something of it is missing. */
export async function datasetPull(context: CommandContext, options: DatasetPullOptions): Promise<ExitCode> {
  const { terminal, signal } = context;
  const kind = Object.hasOwn(pullKinds, options.from) ? pullKinds[options.from] : undefined;
  if (kind === undefined) {
    throw new AgentError(
      "USAGE_PLATFORM",
      `no labels from "${options.from}"; there is ${Object.keys(pullKinds).join(", ")}`,
      {
        disposition: "fatal",
      },
    );
  }
  const access = await accessOf(context, kind.account, options.target);
  if (options.dryRun === true) return dryRun(context, kind, access, options);
  const link = new HttpLink(connection.parse(access.fields));
  try {
    const source = kind.open(access.fields, link);
    const onProgress = (done: number, total: number) =>
      terminal.status(`${progressBar(done, total)} ${done}/${total} images`, done === total);
    const { to, format } = options;
    const job = { kind: options.from, classes: options.class, to, format, onProgress };
    const summary = await pullDataset(job, source, context, signal);
    tell(context, options, summary);
    return summary.missing === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    link.close();
  }
}

/** The requests for the labels, and for the pictures that a made-up answer to them names. */
async function dryRun(
  { terminal, json, signal }: CommandContext,
  kind: PullKind,
  access: Awaited<ReturnType<typeof accessOf>>,
  options: DatasetPullOptions,
): Promise<ExitCode> {
  const shown: ShownRequest[] = [];
  const show = (request: ShownRequest): void => {
    shown.push(request);
    if (!json) terminal.data(requestLines(request));
  };
  const [label = ""] = options.class;
  const dryLink = new DryRunLink(access.secrets, (request) => kind.dryAnswer(request, label), show);
  const source = kind.open(access.fields, dryLink);
  for (const image of await source.list(options.class, signal)) await image.fetch(signal);
  if (json) terminal.data(JSON.stringify({ requests: shown }));
  return exitCodes.ok;
}

function tell(
  { terminal, json }: CommandContext,
  { from, to, format }: DatasetPullOptions,
  summary: PullSummary,
): void {
  const { images, boxes, fetched, classes, missing, skipped, emptyBoxes, withdrawn, problems } = summary;
  if (json) {
    terminal.data(JSON.stringify({ from, to, format, ...summary }));
    return;
  }
  for (const { image, why } of problems) terminal.note(`${image}: ${why}`);
  const skips = Object.entries(skipped);
  const untold = missing + skips.reduce((sum, [, count]) => sum + count, 0) - problems.length;
  if (untold > 0) terminal.note(`and ${untold} more`);
  terminal.data(
    `${counted(images, "image")} with ${boxes} boxes of ${Object.keys(classes).join(", ")} in ${to}, ${fetched} fetched now`,
  );
  for (const [name, count] of Object.entries(classes)) {
    if (count === 0 && missing === 0) terminal.note(`nothing is labelled ${name}; is that how the platform spells it?`);
  }
  for (const [why, count] of skips) terminal.data(`${counted(count, "image")} left out: ${why}`);
  if (emptyBoxes > 0) terminal.data(`${emptyBoxes} boxes left out: they have no area inside their image`);
  if (withdrawn > 0) terminal.data(`${counted(withdrawn, "image")} moved to withdrawn/: not labelled so any more`);
  if (missing > 0) terminal.data(`${counted(missing, "image")} MISSING; the same command tries them again`);
}
