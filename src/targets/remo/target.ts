import { SystemClock, type Clock } from "../../core/clock.ts";
import { asAgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { remoLimits } from "../../core/platform-limits.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery, Target, TargetCapacity, TargetMemory } from "../../core/ports.ts";
import type { RecordDraft } from "../../core/types.ts";
import { HttpLink, type LinkParts } from "../../link/http.ts";
import { filterWants } from "../filter.ts";
import { explained } from "../platform-answer.ts";
import { chosenSet, newSet, requireSet } from "./annotation-set-choice.ts";
import { RemoClient } from "./client.ts";
import type { RemoConfig } from "./config.ts";
import { cursorOf } from "./cursor.ts";
import { blamingTarget } from "./failures.ts";
import { RemoJournal } from "./journal.ts";
import { sendWithoutSession } from "./legacy.ts";
import { RemoSessions, type SessionCall } from "./session.ts";

export interface RemoTargetParts {
  readonly config: RemoConfig;
  readonly memory: TargetMemory;
  readonly link?: LinkParts;
}

/**
 * Pictures with annotations for one dataset of a remo server, a batch in one upload session. Accepted means that the
 * server said of this file and of its annotations that they are in.
 */
export class RemoTarget implements Target {
  readonly id: string;
  readonly kind = "remo";
  readonly #config: RemoConfig;
  readonly #link: HttpLink;
  readonly #client: RemoClient;
  readonly #journal: RemoJournal;
  readonly #sessions: RemoSessions;
  #annotationSetId: number | undefined;

  constructor({ config, memory, link = {} }: RemoTargetParts, { clock }: { readonly clock: Clock } = ownClock) {
    this.id = config.id;
    this.#config = config;
    this.#link = new HttpLink({ tls: config.tls, proxy: config.proxy, ...link });
    this.#client = new RemoClient(config, this.#link);
    this.#journal = new RemoJournal(memory, `${config.url} ${config.datasetId}`);
    this.#sessions = new RemoSessions(config, this.#client, this.#journal, clock);
    this.#annotationSetId = config.annotationSetId;
  }

  /** One at a time: the journal knows one open session. */
  capacity(): TargetCapacity {
    return {
      recordsPerCallMax: remoLimits.recordsPerSessionMax,
      bytesPerCallMax: captureLimits.jpegBytesMax,
      callsInFlightMax: 1,
    };
  }

  wants(draft: RecordDraft): boolean {
    return filterWants(this.#config, draft);
  }

  async start(): Promise<void> {
    // HTTP connects with its first request.
  }

  /** Logs in, and looks whether dataset and annotation set are what the config says. Makes nothing. */
  async probe(signal: AbortSignal): Promise<void> {
    const { datasetId, annotationSetId } = this.#config;
    await this.#client.login(signal);
    try {
      await this.#client.dataset(datasetId, signal);
    } catch (error) {
      throw explained(asAgentError(error, "checking the dataset"), {
        HTTP_404: `the account is right; is there a dataset ${datasetId}?`,
      });
    }
    if (annotationSetId === undefined) await chosenSet(this.#client, this.#config, signal);
    else await requireSet(this.#client, this.#config, annotationSetId, signal);
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    try {
      signal.throwIfAborted();
      await this.#deliver(deliveries, outcomes, signal);
    } catch (error) {
      const failure = blamingTarget(asAgentError(error, `sending ${deliveries.length} records to ${this.id}`));
      for (const { record } of deliveries) {
        if (!outcomes.has(record.id)) outcomes.set(record.id, outcomeOf(failure));
      }
    }
    // The set may have been deleted; the next call looks again.
    const notFound = [...outcomes.values()].some((each) => each.kind === "retry" && each.error.code === "HTTP_404");
    if (notFound) this.#annotationSetId = this.#config.annotationSetId;
    return outcomes;
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  async #deliver(deliveries: readonly Delivery[], outcomes: Map<string, Outcome>, signal: AbortSignal): Promise<void> {
    const annotationSetId = await this.#setId(signal);
    const labelsOnly = deliveries.filter(({ cursor }) => cursorOf(cursor).kind === "labels");
    const others = deliveries.filter((delivery) => !labelsOnly.includes(delivery));
    if (!this.#config.sessions) {
      const all = { images: others, labelsOnly };
      await sendWithoutSession(this.#client, this.#config, all, { annotationSetId, outcomes, signal });
      return;
    }
    const call: SessionCall = { annotationSetId, outcomes, signal, patienceMs: this.#config.sessionTimeout };
    const images: Delivery[] = [];
    const bySession = new Map<string, Delivery[]>();
    for (const delivery of others) {
      const id = await this.#sessionOf(delivery);
      if (id === undefined) images.push(delivery);
      else bySession.set(id, [...(bySession.get(id) ?? []), delivery]);
    }
    for (const [id, its] of bySession) images.push(...(await this.#sessions.settle(id, its, call)));
    await this.#sessions.send(images, labelsOnly, call);
  }

  /** In which a record was sent before: its cursor says so, and after a crash or a lost answer the journal. */
  async #sessionOf({ record, cursor }: Delivery): Promise<string | undefined> {
    const at = cursorOf(cursor);
    return at.kind === "session" ? at.id : (await this.#journal.sessionOf(record.name))?.id;
  }

  async #setId(signal: AbortSignal): Promise<number> {
    this.#annotationSetId ??=
      (await chosenSet(this.#client, this.#config, signal)) ?? (await newSet(this.#client, this.#config, signal));
    return this.#annotationSetId;
  }
}

const ownClock = { clock: new SystemClock() };
