import { createHash, randomUUID } from "node:crypto";
import type { Clock } from "../../src/core/clock.ts";
import { AgentError } from "../../src/core/errors.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { SpoolListing } from "../../src/core/ports.ts";
import type { DeliverySelection, Queue, QueueStep } from "../../src/core/queue.ts";
import type { QueuePage, QueuePort, Selector, StepCall } from "../../src/remote/commands/queue.ts";
import { deliveriesOf, targetUnknown, type UploadParts } from "./upload-parts.ts";

interface Changed {
  readonly deliveries: number;
  /** Being sent just now, and left alone. */
  readonly busy: number;
}

type Step = "retry" | "drop" | "count" | "hasten" | "prioritize";

/** The spool of a running agent, as its operator sees it from afar. */
export class RemoteQueue implements QueuePort {
  readonly #parts: UploadParts;
  readonly #queue: Queue;
  readonly #clock: Clock;
  /** A token is of this process alone. */
  readonly #nonce = randomUUID();

  constructor(parts: UploadParts, clock: Clock) {
    this.#parts = parts;
    this.#queue = parts.spool.queue;
    this.#clock = clock;
  }

  async stats(): Promise<object> {
    const { loops, upload } = this.#parts;
    const { targets: backlogs, ...stats } = await this.#queue.stats();
    const unowed = loops
      .map((loop) => loop.health().targetId)
      .filter((id) => !backlogs.some(({ targetId }) => targetId === id))
      .map((targetId) => ({ targetId, pending: 0, leased: 0, quarantined: 0, accepted: 0 }));
    const targets = [...backlogs, ...unowed].map(({ targetId, ...backlog }) => {
      const health = deliveriesOf(this.#parts, targetId)[0];
      return { target: targetId, state: health?.state ?? "not configured", ...backlog };
    });
    return { ...stats, targets, upload: upload.health() };
  }

  async list({ target, state, after, limit }: QueuePage): Promise<object> {
    await this.#mustKnow(target);
    const selection = {
      ...(target === undefined ? {} : { targetId: target }),
      ...(state === undefined ? {} : { state }),
    };
    const listed = await this.#queue.list({ ...selection, afterSequence: after, recordsMax: limit });
    const records: object[] = [];
    let [bytes, last] = [0, after];
    for (const listing of listed) {
      const shown = shownListing(listing);
      bytes += Buffer.byteLength(JSON.stringify(shown));
      if (bytes > remoteLimits.listBytesMax && records.length > 0) break;
      records.push(shown);
      last = listing.record.sequence;
    }
    return { records, ...(records.length < listed.length || listed.length === limit ? { next: last } : {}) };
  }

  async flush(target: string | undefined, call: StepCall & { readonly overBudget?: boolean }): Promise<object> {
    const { overBudget = false } = call;
    const flushed = [];
    for (const { targetId, state } of deliveriesOf(this.#parts, target)) {
      if (state === "disabled" || state === "local-only") {
        flushed.push({ target: targetId, state });
        continue;
      }
      const selection: DeliverySelection = { targetId };
      const { deliveries, busy } = await this.#inSteps("count", [{ ...selection, state: "pending" }], call);
      const waiting = deliveries + busy;
      const hastened = call.dry ? undefined : await this.#inSteps("hasten", [selection], call);
      if (!call.dry)
        this.#parts.loops.find((loop) => loop.health().targetId === targetId)?.flush(waiting, { overBudget });
      flushed.push({ target: targetId, state, waiting, ...(hastened && { hastened: hastened.deliveries }) });
    }
    return { targets: flushed };
  }

  async prioritize(selector: Selector, call: StepCall): Promise<object> {
    return await this.#inSteps(call.dry ? "count" : "prioritize", await this.#selections(selector), call);
  }

  async requeue(selector: Selector, call: StepCall): Promise<object> {
    return await this.#inSteps(call.dry ? "count" : "retry", await this.#selections(selector), call);
  }

  /** What came after the dry run is not meant, so that a camera at work does not change the count. */
  async purge(selector: Selector, token: string | undefined, call: StepCall): Promise<object> {
    const selections = await this.#selections(selector);
    if (call.dry) {
      const { lastSequence } = await this.#queue.stats();
      const counted = await this.#inSteps("count", upTo(lastSequence, selections), call);
      const total = counted.deliveries + counted.busy;
      return { ...counted, token: this.#token(selector, lastSequence, total) };
    }
    const [sequence = 0, total = 0] = (token ?? "").split(".", 2).map(Number);
    if (token === undefined || token !== this.#token(selector, sequence, total)) {
      const why = token === undefined ? "it needs the token" : "the token is not that";
      throw new AgentError("COMMAND_ARGS", `/args/token: ${why} of a dry run with the same arguments`, {
        disposition: "reject",
        facts: { path: "/args/token" },
      });
    }
    const bounded = upTo(sequence, selections);
    const now = await this.#inSteps("count", bounded, call);
    if (now.deliveries + now.busy !== total) {
      const message = `it was to give up ${total} deliveries, and now it would be ${now.deliveries + now.busy}`;
      throw new AgentError("QUEUE_CHANGED", message, { disposition: "reject" });
    }
    return await this.#inSteps("drop", bounded, call);
  }

  #token(selector: Selector, lastSequence: number, total: number): string {
    const { target, state, records, camera, label } = selector;
    const meant = [this.#nonce, target, state, records, camera, label, lastSequence, total];
    const digest = createHash("sha256").update(JSON.stringify(meant)).digest("base64url").slice(0, 22);
    return `${lastSequence}.${total}.${digest}`;
  }

  /** One for each record that is named; all names are looked up before anything is done. */
  async #selections({ target, state, records, camera, label }: Selector): Promise<readonly DeliverySelection[]> {
    await this.#mustKnow(target);
    const selection: DeliverySelection = {
      ...(target === undefined ? {} : { targetId: target }),
      ...(state === undefined ? {} : { state }),
      ...(camera === undefined ? {} : { cameraId: camera }),
      ...(label === undefined ? {} : { label }),
    };
    if (records === undefined) return [selection];
    const sequences = new Set<number>();
    for (const reference of records) sequences.add(await this.#sequenceOf(String(reference)));
    return [...sequences].map((sequence) => ({ ...selection, sequence }));
  }

  async #sequenceOf(reference: string): Promise<number> {
    const listing = await this.#queue.find(reference);
    if (listing !== undefined) return listing.record.sequence;
    throw new AgentError("QUEUE_NOT_FOUND", `no record ${reference} in the spool`, { disposition: "reject" });
  }

  async #inSteps(
    change: Step,
    selections: readonly DeliverySelection[],
    { signal, progress }: StepCall,
  ): Promise<Changed> {
    let [deliveries, busy, toldAtMs] = [0, 0, this.#clock.monotonicMs()];
    for (const selection of selections) {
      for (let [after, done] = [0, false]; !done;) {
        signal.throwIfAborted();
        const step: QueueStep = await this.#queue[change](selection, after);
        deliveries += step.changed;
        busy += step.busy;
        ({ lastSequence: after, done } = step);
        if (this.#clock.monotonicMs() - toldAtMs < remoteLimits.progressEveryMs) continue;
        toldAtMs = this.#clock.monotonicMs();
        progress({ deliveries, lastSequence: after });
      }
    }
    return { deliveries, busy };
  }

  async #mustKnow(target: string | undefined): Promise<void> {
    if (target === undefined || this.#parts.targets.some(({ id }) => id === target)) return;
    const { targets } = await this.#queue.stats();
    if (!targets.some(({ targetId }) => targetId === target)) throw targetUnknown(target, this.#parts);
  }
}

function upTo(upToSequence: number, selections: readonly DeliverySelection[]): readonly DeliverySelection[] {
  return selections.map((selection) => ({ ...selection, upToSequence }));
}

/** What an operator looks for; the rest stands in queue show at the device. */
function shownListing({ record, deliveries }: SpoolListing): object {
  const { sequence, id, cameraId, capturedAtMs, imageBytes, detections, reason } = record;
  return {
    ...{ sequence, id, camera: cameraId, capturedAtMs, bytes: imageBytes, rule: reason.rule },
    labels: [...new Set(detections.map(({ label }) => label))].slice(0, remoteLimits.labelsListedMax),
    owed: deliveries.slice(0, remoteLimits.owedListedMax).map(({ targetId, state, attempts, error }) => ({
      ...{ target: targetId, state, attempts },
      ...(error === undefined ? {} : { error: error.slice(0, remoteLimits.listedErrorCharsMax) }),
    })),
  };
}
