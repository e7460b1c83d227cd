import { asAgentError } from "../../core/errors.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery } from "../../core/ports.ts";
import type { RemoClient } from "./client.ts";
import type { RemoConfig } from "./config.ts";
import { labelsCursor } from "./cursor.ts";
import { remoCsv, remoRows } from "./encode.ts";
import { blamingTarget, fileFailed, sessionFailed, settingsError, withCursor } from "./failures.ts";
import { groupsOf } from "./groups.ts";
import { saysDuplicate } from "./judge.ts";
import type { RemoFile } from "./uploads.ts";

export interface LegacyCall {
  readonly annotationSetId: number;
  readonly outcomes: Map<string, Outcome>;
  readonly signal: AbortSignal;
}

/**
 * Uploads to servers before sessions (May 2020): each request is worked through before it is answered, with a list of
 * texts of what went wrong, which name their files.
 */
export async function sendWithoutSession(
  client: RemoClient,
  config: RemoConfig,
  { images, labelsOnly }: { readonly images: readonly Delivery[]; readonly labelsOnly: readonly Delivery[] },
  call: LegacyCall,
): Promise<void> {
  const there: Delivery[] = [...labelsOnly];
  for (const group of groupsOf(images)) there.push(...(await sendGroup(client, config, group, call)));
  const { outcomes } = call;
  const owed = there.filter(({ record }) => remoRows(record, config).length > 0);
  for (const { record } of there) outcomes.set(record.id, { kind: "accepted" });
  if (owed.length === 0) return;
  const rows = owed.flatMap(({ record }) => remoRows(record, config));
  const errors = await attempt(client, config, [{ name: "framepost.csv", bytes: remoCsv(config.task, rows) }], call);
  for (const { record } of owed) {
    const blamed = errors.find((text) => text.includes(record.name));
    if (errors.length === 0 || (blamed === undefined && errors.every(saysDuplicate))) continue;
    const what = `annotations of ${record.name}`;
    const named = errors.some((text) => owed.some((other) => text.includes(other.record.name)));
    if (blamed !== undefined) outcomes.set(record.id, withCursor(fileFailed(what, blamed), labelsCursor));
    else if (!named) outcomes.set(record.id, withCursor(sessionFailed(what, errors.join("; ")), labelsCursor));
  }
}

/** Answers those whose pictures are in the dataset now. */
async function sendGroup(
  client: RemoClient,
  config: RemoConfig,
  group: readonly Delivery[],
  call: LegacyCall,
): Promise<readonly Delivery[]> {
  const { outcomes } = call;
  const files: RemoFile[] = [];
  const read: Delivery[] = [];
  for (const delivery of group) {
    try {
      files.push({ name: delivery.record.name, bytes: await delivery.image(), contentType: "image/jpeg" });
      read.push(delivery);
    } catch (error) {
      outcomes.set(delivery.record.id, outcomeOf(asAgentError(error, `reading ${delivery.record.name}`)));
    }
  }
  if (files.length === 0) return [];
  try {
    const errors = await attempt(client, config, files, call);
    const failures = errors.filter((text) => !saysDuplicate(text));
    const namesSomebody = (text: string): boolean => read.some(({ record }) => text.includes(record.name));
    const aboutAll = failures.filter((text) => !namesSomebody(text));
    return read.filter(({ record }) => {
      const own = failures.find((text) => text.includes(record.name));
      if (own !== undefined) outcomes.set(record.id, outcomeOf(fileFailed(record.name, own)));
      else if (aboutAll.length > 0) outcomes.set(record.id, outcomeOf(sessionFailed(record.name, aboutAll.join("; "))));
      return own === undefined && aboutAll.length === 0;
    });
  } catch (error) {
    call.signal.throwIfAborted();
    const failure = asAgentError(error, "upload");
    const outcome = outcomeOf(files.length === 1 && failure.code === "HTTP_413" ? failure : blamingTarget(failure));
    for (const { record } of read) outcomes.set(record.id, outcome);
    return [];
  }
}

/** The texts of what went wrong. */
async function attempt(
  client: RemoClient,
  { datasetId, task, folderId }: RemoConfig,
  files: readonly RemoFile[],
  { annotationSetId, signal }: LegacyCall,
): Promise<readonly string[]> {
  const options = { annotationSetId, annotationTask: task, folderId };
  const answer = await client.uploads.files(datasetId, files, options, signal);
  if ("session_id" in answer) {
    throw settingsError("upload without a session: this server only works on sessions; take sessions: false out");
  }
  const { errors } = answer as { errors?: unknown };
  return Array.isArray(errors) ? errors.map(String) : [];
}
