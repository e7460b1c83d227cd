import type { Clock } from "../../core/clock.ts";
import { AgentError, asAgentError } from "../../core/errors.ts";
import { remoLimits } from "../../core/platform-limits.ts";
import { outcomeOf, suspectsRecord, type Outcome } from "../../core/outcome.ts";
import type { Delivery } from "../../core/ports.ts";
import type { RemoClient } from "./client.ts";
import type { RemoConfig } from "./config.ts";
import { cursorOf, labelsCursor, sessionCursor } from "./cursor.ts";
import { remoCsv, remoRows } from "./encode.ts";
import {
  blamingTarget,
  fileFailed,
  fileRefused,
  labelsMissing,
  sessionFailed,
  stillWorking,
  stuck,
  withCursor,
} from "./failures.ts";
import { groupsOf, halvesOf, imageBytesOf } from "./groups.ts";
import type { RemoJournal } from "./journal.ts";
import { imageVerdicts, labelsVerdict, saysServerTrouble, type ImageVerdict, type LabelsVerdict } from "./judge.ts";
import { isFinished, progressMark, type RemoSessionStatus } from "./session-status.ts";
import type { UploadOptions } from "./uploads.ts";

/** What one call of the target has in hand. */
export interface SessionCall {
  readonly annotationSetId: number;
  readonly outcomes: Map<string, Outcome>;
  readonly signal: AbortSignal;
  /** Left for waiting, in milliseconds, over all sessions of the call. */
  patienceMs: number;
}

interface JudgedCall extends SessionCall {
  readonly labelsFailure: AgentError | undefined;
}

/**
 * Upload sessions: pictures in groups, one CSV, complete, wait, and what became of each file. A session is completed also
 * when a group of it failed, because nothing documented cancels one; what failed stays owed.
 */
export class RemoSessions {
  readonly #config: RemoConfig;
  readonly #client: RemoClient;
  readonly #journal: RemoJournal;
  readonly #clock: Clock;
  /** Of pictures in one request: less where a request was refused for its size. */
  #groupBytesMax: number = remoLimits.groupBytesMax;

  constructor(config: RemoConfig, client: RemoClient, journal: RemoJournal, clock: Clock) {
    this.#config = config;
    this.#client = client;
    this.#journal = journal;
    this.#clock = clock;
  }

  /** Sends pictures with their annotations, and for `labelsOnly`, whose pictures are there, the annotations alone. */
  async send(images: readonly Delivery[], labelsOnly: readonly Delivery[], call: SessionCall): Promise<void> {
    const { signal, outcomes } = call;
    const owed = labelsOnly.filter((delivery) => this.#rowsOf(delivery).length > 0);
    // A picture that shows nothing needs no annotations.
    for (const { record } of labelsOnly) outcomes.set(record.id, { kind: "accepted" });
    for (const { record } of owed) outcomes.delete(record.id);
    if (images.length + owed.length === 0) return;
    await this.#requireRoom(signal);
    const id = await this.#client.uploads.openSession(this.#config.datasetId, signal);
    if (images.length > 0) await this.#journal.add(id, namesOf(images));
    const sent = await this.#sendImages(id, images, call);
    const all = [...sent, ...owed];
    const labelsFailure = await this.#sendLabels(id, all, call);
    await this.#client.uploads.completeSession(id, signal);
    if (all.length === 0) return;
    const lost = await this.settle(id, all, call, labelsFailure);
    for (const { record } of lost) {
      outcomes.set(record.id, outcomeOf(sessionFailed(record.name, "nothing, and the dataset does not have it")));
    }
  }

  /**
   * Waits for a session, as long as the call's patience lasts, and decides on these deliveries of it. Answers those that
   * have to be sent again: of a session that the server no longer knows, or that a crash cut short.
   */
  async settle(
    id: string,
    deliveries: readonly Delivery[],
    call: SessionCall,
    labelsFailure?: AgentError,
  ): Promise<readonly Delivery[]> {
    const status = await this.#finishedStatus(id, call);
    if (status === undefined) {
      this.#journal.finished(id);
      return await this.#lookUp(deliveries, call);
    }
    if (!isFinished(status)) {
      await this.#putOff(id, deliveries, status, call);
      return [];
    }
    this.#journal.finished(id);
    return await this.#judge(id, deliveries, status, { ...call, labelsFailure });
  }

  async #sendImages(id: string, images: readonly Delivery[], call: SessionCall): Promise<readonly Delivery[]> {
    const { signal, outcomes } = call;
    const sent: Delivery[] = [];
    const groups = [...groupsOf(images, this.#groupBytesMax)];
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      const read = await this.#read(group, outcomes);
      const files = read.map(({ delivery, jpeg }) => ({
        name: delivery.record.name,
        bytes: jpeg,
        contentType: "image/jpeg",
      }));
      if (files.length === 0) continue;
      try {
        const answer = await this.#client.uploads.files(this.#config.datasetId, files, this.#options(id, call), signal);
        requireNoErrors(answer, `upload to session ${id}`);
        sent.push(...read.map(({ delivery }) => delivery));
      } catch (error) {
        const failure = asAgentError(error, `upload to session ${id}`);
        signal.throwIfAborted();
        const isTooLarge = failure.code === "HTTP_413";
        if (isTooLarge && read.length > 1) {
          // Something before the server takes less at once; each picture by itself may be small enough.
          this.#groupBytesMax = Math.floor(imageBytesOf(read.map(({ delivery }) => delivery)) / 2);
          groups.unshift(...halvesOf(read.map(({ delivery }) => delivery)));
          continue;
        }
        const outcome = outcomeOf(isTooLarge ? failure : blamingTarget(failure));
        for (const { delivery } of read) outcomes.set(delivery.record.id, outcome);
        const names = namesOf(read.map(({ delivery }) => delivery));
        await (tookNothing(failure) ? this.#journal.withdraw(names) : this.#journal.doubt(id, names));
        // Whoever is away stays away for the rest of this session.
        if (outcome.kind === "retry" && !suspectsRecord(outcome.error)) {
          const unsent = groups.flat();
          for (const { record } of unsent) outcomes.set(record.id, outcome);
          await this.#journal.withdraw(namesOf(unsent));
          return sent;
        }
      }
    }
    return sent;
  }

  async #read(group: readonly Delivery[], outcomes: Map<string, Outcome>) {
    const read: { readonly delivery: Delivery; readonly jpeg: Buffer }[] = [];
    const unreadable: Delivery[] = [];
    for (const delivery of group) {
      try {
        read.push({ delivery, jpeg: await delivery.image() });
      } catch (error) {
        outcomes.set(delivery.record.id, outcomeOf(asAgentError(error, `reading ${delivery.record.name}`)));
        unreadable.push(delivery);
      }
    }
    await this.#journal.withdraw(namesOf(unreadable));
    return read;
  }

  /** A failure is answered and not thrown: the pictures are there, and their session has to be completed. */
  async #sendLabels(id: string, deliveries: readonly Delivery[], call: SessionCall): Promise<AgentError | undefined> {
    const rows = deliveries.flatMap((delivery) => this.#rowsOf(delivery));
    if (rows.length === 0) return undefined;
    const file = { name: csvName(id), bytes: remoCsv(this.#config.task, rows) };
    try {
      const options = this.#options(id, call);
      const answer = await this.#client.uploads.files(this.#config.datasetId, [file], options, call.signal);
      requireNoErrors(answer, `annotations for session ${id}`);
      return undefined;
    } catch (error) {
      call.signal.throwIfAborted();
      return blamingTarget(asAgentError(error, `annotations for session ${id}`));
    }
  }

  /** Undefined when the server knows no such session. Completes one that a process before this one left open. */
  async #finishedStatus(id: string, call: SessionCall): Promise<RemoSessionStatus | undefined> {
    const { uploads } = this.#client;
    let waitMs: number = remoLimits.pollFirstMs;
    let completed = false;
    for (;;) {
      const status = await uploads.sessionStatus(id, call.signal);
      if (status === undefined || isFinished(status)) return status;
      if (status.state === "not complete" && !completed) {
        await uploads.completeSession(id, call.signal);
        completed = true;
      }
      if (call.patienceMs < waitMs) return status;
      call.patienceMs -= waitMs;
      await this.#clock.sleep(waitMs, call.signal);
      waitMs = Math.min(2 * waitMs, remoLimits.pollMaxMs);
    }
  }

  /** A session that gets on is no failure; one that stands still for several looks is given up. */
  async #putOff(
    id: string,
    deliveries: readonly Delivery[],
    status: RemoSessionStatus,
    call: SessionCall,
  ): Promise<void> {
    const mark = progressMark(status);
    const looks = deliveries.map(({ cursor }) => cursorOf(cursor));
    const stands = looks.reduce(
      (most, look) =>
        look.kind === "session" && look.id === id && look.mark === mark ? Math.max(most, look.stands + 1) : most,
      0,
    );
    if (stands >= remoLimits.standStillsMax) {
      await this.#giveUp(id, deliveries, call);
      return;
    }
    const afterMs = remoLimits.laterMs * (stands + 1);
    for (const delivery of deliveries) {
      const cursor = sessionCursor(id, mark, stands, isLabelsOnly(delivery));
      const { record } = delivery;
      call.outcomes.set(record.id, withCursor(stillWorking(record.name, id), cursor, afterMs));
    }
  }

  /** A server's worker that died ends its session never; one of the pictures may be why, so each is tried apart. */
  async #giveUp(id: string, deliveries: readonly Delivery[], call: SessionCall): Promise<void> {
    const again = await this.#lookUp(deliveries, call);
    this.#journal.finished(id);
    for (const delivery of deliveries) {
      const cursor = again.includes(delivery) ? "" : labelsCursor;
      call.outcomes.set(delivery.record.id, withCursor(stuck(delivery.record.name, id), cursor));
    }
  }

  /** By name in the dataset. Those that are there still need their annotations; the rest is answered. */
  async #lookUp(deliveries: readonly Delivery[], call: SessionCall): Promise<readonly Delivery[]> {
    const absent: Delivery[] = [];
    for (const delivery of deliveries) {
      if (await this.#isThere(delivery, call)) this.#owesLabels(delivery, labelsMissing(delivery.record.name), call);
      else absent.push(delivery);
    }
    await this.#journal.release(namesOf(deliveries));
    return absent;
  }

  async #isThere({ record }: Delivery, { signal }: SessionCall): Promise<boolean> {
    return (await this.#client.imageNamed(this.#config.datasetId, record.name, signal)) !== undefined;
  }

  async #judge(
    id: string,
    deliveries: readonly Delivery[],
    status: RemoSessionStatus,
    call: JudgedCall,
  ): Promise<readonly Delivery[]> {
    const known = (await this.#journal.sessions()).find((session) => session.id === id);
    const names = known?.names ?? namesOf(deliveries);
    // Without the names of all its files the session's counts prove nothing.
    const someInDoubt = known === undefined || known.isPartial || known.doubtful.length > 0;
    const verdicts = imageVerdicts(status, names, someInDoubt);
    const labels = labelsVerdict(status, csvName(id), [...names, ...namesOf(deliveries)]);
    const again: Delivery[] = [];
    for (const delivery of deliveries) {
      const { name } = delivery.record;
      const verdict = verdicts.get(name) ?? { kind: "unproven" };
      if (verdict.kind === "refused") {
        const allFailed = names.length > 1 && status.images.successful === 0;
        call.outcomes.set(delivery.record.id, outcomeOf(refusalOf(name, verdict, allFailed)));
      } else if (isLabelsOnly(delivery) || verdict.kind === "arrived" || (await this.#isThere(delivery, call))) {
        const inCsv = isLabelsOnly(delivery) || known?.names.includes(name) === true;
        this.#judgeLabels(delivery, inCsv ? labels : { kind: "missing" }, call);
      } else {
        again.push(delivery);
      }
    }
    const done = ({ record }: Delivery): boolean => call.outcomes.get(record.id)?.kind === "accepted";
    await this.#journal.release(namesOf(deliveries.filter((delivery) => !done(delivery))));
    return again;
  }

  #judgeLabels(delivery: Delivery, labels: LabelsVerdict, call: JudgedCall): void {
    const { name, id } = delivery.record;
    const taken = labels.kind === "taken" && !labels.blamed.includes(name);
    if (taken || this.#rowsOf(delivery).length === 0) {
      call.outcomes.set(id, { kind: "accepted" });
    } else if (labels.kind === "taken") {
      this.#owesLabels(delivery, fileFailed(`annotations of ${name}`, labels.text), call);
    } else if (labels.kind === "refused") {
      this.#owesLabels(delivery, sessionFailed(`annotations of ${name}`, labels.text), call);
    } else {
      this.#owesLabels(delivery, call.labelsFailure ?? labelsMissing(name), call);
    }
  }

  #owesLabels({ record }: Delivery, error: AgentError, call: SessionCall): void {
    call.outcomes.set(record.id, withCursor(error, labelsCursor));
  }

  /** The journal holds few sessions: where the server works on all of them, it gets no more. */
  async #requireRoom(signal: AbortSignal): Promise<void> {
    const unfinished = await this.#journal.unfinishedWhenFull();
    if (unfinished.length === 0) return;
    for (const { id } of unfinished) {
      const status = await this.#client.uploads.sessionStatus(id, signal);
      if (status !== undefined && !isFinished(status)) continue;
      this.#journal.finished(id);
      return;
    }
    throw new AgentError("REMO_BUSY", `open a session: remo is still working on ${unfinished.length} of ours`, {
      disposition: "retry",
      afterMs: remoLimits.laterMs,
    });
  }

  #options(sessionId: string, { annotationSetId }: SessionCall): UploadOptions {
    const { task, folderId } = this.#config;
    return { sessionId, annotationSetId, annotationTask: task, folderId };
  }

  #rowsOf({ record }: Delivery) {
    return remoRows(record, this.#config);
  }
}

export function namesOf(deliveries: readonly Delivery[]): readonly string[] {
  return deliveries.map(({ record }) => record.name);
}

function isLabelsOnly({ cursor }: Delivery): boolean {
  const at = cursorOf(cursor);
  return at.kind === "labels" || (at.kind === "session" && at.labelsOnly);
}

/** A refusal is certain; after anything else the files may have arrived all the same. */
function tookNothing({ code }: AgentError): boolean {
  return /^HTTP_4\d\d$/.test(code) && code !== "HTTP_408";
}

/** A full disk fails every picture alike, and none of them is to blame. */
function refusalOf(
  name: string,
  { text, forGood }: Extract<ImageVerdict, { kind: "refused" }>,
  allFailed: boolean,
): AgentError {
  if (forGood) return fileRefused(name, text);
  return allFailed || saysServerTrouble(text) ? sessionFailed(name, text) : fileFailed(name, text);
}

/** Of the session alone, so that a later look knows it again. */
function csvName(sessionId: string): string {
  return `framepost-${sessionId}.csv`;
}

/** An answer of success may list what went wrong. */
function requireNoErrors(answer: Readonly<Record<string, unknown>>, what: string): void {
  const { errors } = answer as { errors?: unknown };
  if (Array.isArray(errors) && errors.length > 0) throw sessionFailed(what, errors.map(String).join("; "));
}
