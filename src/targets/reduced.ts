import type { Clock } from "../core/clock.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { isTooLarge, type Outcome, outcomeOf } from "../core/outcome.ts";
import type { Delivery, Target, TargetCapacity } from "../core/ports.ts";
import type { RecordDraft } from "../core/types.ts";
import type { Vision } from "../core/vision-port.ts";
import { LearnedSize } from "./learned-size.ts";
import { markedCursor, readMarked, reducedCopy, type ReducedCopy } from "./reduced-copy.ts";
import { nextStep, type ReduceRules, type ReduceStep } from "./reduce-steps.ts";

export type Reencode = Vision["reencode"];

/**
 * A target whose pictures are reduced where the other side refuses their size: copy after copy, each with its boxes
 * scaled, until one is taken or the floor is reached; only then is the record rejected. The spool and all other targets
 * keep the original.
 *
 * - Where the refusal says how much is taken (`bytesMax` in the error's facts, bytes of the image), the ladder goes there
 *   at once. Where it does not, what was taken and refused is remembered, and later pictures are reduced before they are
 *   sent.
 * - A batch that is refused as a whole is first sent one by one: together they may be too large, and each of them not.
 * - While the vision process is away a record waits, and is charged nothing.
 */
export function reducedTarget(inner: Target, rules: ReduceRules, reencode: Reencode, clock: Clock): Target {
  return new ReducedTarget(inner, rules, reencode, clock);
}

/** One delivery on its way down the ladder. */
interface Attempt {
  readonly original: Delivery;
  readonly copies: ReducedCopy[];
  /** What is sent; the original when absent. */
  copy?: ReducedCopy;
  /** The first time that its size was refused. */
  refusal?: AgentError;
  jpeg?: Buffer;
}

class ReducedTarget implements Target {
  readonly id: string;
  readonly kind: string;
  readonly #inner: Target;
  readonly #rules: ReduceRules;
  readonly #reencode: Reencode;
  readonly #learned: LearnedSize;

  constructor(inner: Target, rules: ReduceRules, reencode: Reencode, clock: Clock) {
    this.id = inner.id;
    this.kind = inner.kind;
    this.#inner = inner;
    this.#rules = rules;
    this.#reencode = reencode;
    this.#learned = new LearnedSize(clock);
  }

  capacity(): TargetCapacity {
    return this.#inner.capacity();
  }

  wants(draft: RecordDraft): boolean {
    return this.#inner.wants(draft);
  }

  async start(): Promise<void> {
    await this.#inner.start();
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#inner.probe(signal);
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    const attempts: Attempt[] = [];
    for (const original of deliveries) {
      const attempt: Attempt = { original, copies: [] };
      const ended = await this.#prepare(attempt, signal);
      if (ended === undefined) attempts.push(attempt);
      else outcomes.set(original.record.id, ended);
    }
    await this.#send(attempts, outcomes, signal);
    return outcomes;
  }

  /** Reduces what is most likely too large, or was reduced in a former call. Answers with an outcome where it cannot. */
  async #prepare(attempt: Attempt, signal: AbortSignal): Promise<Outcome | undefined> {
    const { record, cursor = "" } = attempt.original;
    const marked = readMarked(cursor);
    if (marked !== undefined) {
      const made = await this.#makeCopy(attempt, marked.step, signal, marked.cursor);
      if (made instanceof AgentError) return outcomeOf(made);
      attempt.copy = made;
      return undefined;
    }
    // What the target has begun with the original goes on with it.
    if (cursor !== "" || this.#learned.mayBeTaken(record.imageBytes)) return undefined;
    const made = await this.#reduce(attempt, { belowBytes: this.#learned.refusedBytes }, signal);
    if (made instanceof AgentError) return isPictures(made) ? undefined : outcomeOf(made);
    // Whether the smallest is still too large only the other side can say.
    if (!made) chooseSmallest(attempt, record.imageBytes);
    return undefined;
  }

  /** Rounds, until each has an outcome: what is refused for its size comes back as a smaller copy. */
  async #send(attempts: readonly Attempt[], outcomes: Map<string, Outcome>, signal: AbortSignal): Promise<void> {
    let sent = attempts;
    while (sent.length > 0) {
      const answers = await this.#deliver(sent, outcomes.size > 0, signal);
      const again: Attempt[] = [];
      const alone: Attempt[] = [];
      for (const attempt of sent) {
        const { id } = attempt.original.record;
        const outcome = answers.get(id);
        if (outcome === undefined) continue;
        if (outcome.kind === "accepted") this.#learned.accepted(bytesOf(attempt));
        if (outcome.kind !== "rejected" || !isTooLarge(outcome.error)) {
          outcomes.set(id, outcomeOfCopy(attempt, outcome));
        } else if (sent.length > 1 && isOfRequest(outcome.error)) {
          alone.push(attempt);
        } else {
          const ended = await this.#afterRefusal(attempt, outcome.error, signal);
          if (ended === undefined) again.push(attempt);
          else outcomes.set(id, ended);
        }
      }
      for (const attempt of alone) await this.#send([attempt], outcomes, signal);
      sent = again;
    }
  }

  /** A throw says that nothing was accepted, which is true only as long as nothing was answered before. */
  async #deliver(
    attempts: readonly Attempt[],
    isLater: boolean,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Outcome>> {
    try {
      return await this.#inner.deliver(
        attempts.map(({ copy, original }) => copy?.delivery ?? original),
        signal,
      );
    } catch (error) {
      const failure = asAgentError(error, `delivering to ${this.id}`);
      const isOne = attempts.length === 1;
      if (!isLater && !(isOne && isTooLarge(failure))) throw error;
      const outcome: Outcome = isOne ? outcomeOf(failure) : { kind: "retry", scope: "target", error: failure };
      return new Map(attempts.map(({ original }) => [original.record.id, outcome]));
    }
  }

  /** Undefined when a smaller copy is ready to be sent. */
  async #afterRefusal(attempt: Attempt, error: AgentError, signal: AbortSignal): Promise<Outcome | undefined> {
    const first = (attempt.refusal ??= error);
    const { bytesMax } = error.facts;
    const sentBytes = bytesOf(attempt);
    // A target that knows its limit refuses by itself, at no cost: there is nothing to be learned.
    if (typeof bytesMax !== "number") this.#learned.refused(sentBytes);
    const goal =
      typeof bytesMax === "number"
        ? { belowBytes: Math.min(sentBytes, bytesMax + 1), aimBytes: bytesMax }
        : { belowBytes: sentBytes };
    const made = await this.#reduce(attempt, goal, signal);
    if (!(made instanceof AgentError)) return made ? undefined : gaveUp(attempt, first);
    return isPictures(made) ? gaveUp(attempt, first, made) : outcomeOf(made);
  }

  /** Makes copies until one is as small as it should be. False when the floor is reached and none is below. */
  async #reduce(attempt: Attempt, goal: Goal, signal: AbortSignal): Promise<boolean | AgentError> {
    const { imageBytes } = attempt.original.record;
    const aimBytes = goal.aimBytes ?? this.#learned.aimBytes();
    for (;;) {
      const step = nextStep(this.#rules, imageBytes, attempt.copies, aimBytes);
      if (step === undefined) return chooseSmallest(attempt, goal.belowBytes);
      const copy = await this.#makeCopy(attempt, step, signal);
      if (copy instanceof AgentError) return copy;
      if (copy.bytes >= goal.belowBytes || copy.bytes > (aimBytes ?? Infinity)) continue;
      attempt.copy = copy;
      return true;
    }
  }

  async #makeCopy(
    attempt: Attempt,
    step: ReduceStep,
    signal: AbortSignal,
    cursor?: string,
  ): Promise<ReducedCopy | AgentError> {
    const { original } = attempt;
    const { name, imageWidth, imageHeight } = original.record;
    const size = {
      widthMax: Math.max(1, Math.round(imageWidth * step.scale)),
      heightMax: Math.max(1, Math.round(imageHeight * step.scale)),
    };
    try {
      attempt.jpeg ??= await original.image();
      const encoded = await this.#reencode(attempt.jpeg, { quality: step.quality, ...size }, signal);
      const copy = reducedCopy(original, step, encoded, cursor);
      attempt.copies.push(copy);
      return copy;
    } catch (error) {
      return asAgentError(error, `reducing ${name}`);
    }
  }
}

interface Goal {
  /** A copy that is not below this is not worth sending. */
  readonly belowBytes: number;
  /** What the other side says that it takes. */
  readonly aimBytes?: number;
}

/** False when no copy is below `belowBytes`. */
function chooseSmallest(attempt: Attempt, belowBytes: number): boolean {
  const smallest = smallestOf(attempt);
  if (smallest === undefined || smallest.bytes >= belowBytes) return false;
  attempt.copy = smallest;
  return true;
}

function smallestOf({ copies }: Attempt): ReducedCopy | undefined {
  return copies.toSorted((a, b) => a.bytes - b.bytes)[0];
}

function bytesOf({ copy, original }: Attempt): number {
  return copy?.bytes ?? original.record.imageBytes;
}

/** About the whole request, which holds all records of a call. */
function isOfRequest(error: AgentError): boolean {
  return error.code === "HTTP_413";
}

/** The picture's own fault, which no waiting mends: it cannot be decoded. */
function isPictures(error: AgentError): boolean {
  return error.code.startsWith("IMAGE_");
}

/** A cursor that stays or comes is about the picture that was sent, and says so. */
function outcomeOfCopy({ copy, original }: Attempt, outcome: Outcome): Outcome {
  if (outcome.kind !== "retry" || copy === undefined) return outcome;
  const { cursor } = outcome;
  if (cursor !== undefined && cursor !== "") return { ...outcome, cursor: markedCursor(copy, cursor) };
  const isStale = cursor === undefined && copy.delivery.cursor === undefined && (original.cursor ?? "") !== "";
  return isStale ? { ...outcome, cursor: "" } : outcome;
}

/** The refusal as it was, with what was tried. */
function gaveUp(attempt: Attempt, refusal: AgentError, why?: AgentError): Outcome {
  const smallest = smallestOf(attempt);
  const { code, disposition, facts } = refusal;
  const tried =
    smallest === undefined
      ? "too large, and no reduced copy could be made"
      : `too large, also reduced to ${smallest.width} x ${smallest.height} at quality ${smallest.quality} (${smallest.bytes} bytes)`;
  const message = `${tried}${why === undefined ? "" : ` (${why.message})`}: ${refusal.message}`;
  return { kind: "rejected", error: new AgentError(code, message, { disposition, facts, cause: refusal }) };
}
