import { type AgentError, asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import type { Logger } from "../core/ports.ts";
import { auditOf, shownArgs, type Audit } from "./audit.ts";
import { digestOf } from "./canonical-json.ts";
import type { Command } from "./command.ts";
import { nameOf, type Entry, type Ledger } from "./ledger.ts";
import { answerOfError, refused, type Answer, type Answered, type ReplyAddress } from "./reply.ts";
import { parseArgs, type Request } from "./request.ts";
import { interrupted, unlessStopped, type Outcome, type Runner, type Work } from "./runner.ts";

export interface EffectsParts {
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly commands: ReadonlyMap<string, Command>;
  readonly reply: (answered: Answered) => void;
  readonly audit: (audit: Audit) => void;
  /** How a command is called for a request. */
  readonly callOf: (request: Request, address: ReplyAddress) => Work["call"];
  /**
   * What outlives a stop, as a change of the config does for which everything is started anew: resolves with the data of
   * the reply or fails. Undefined where nothing of this request goes on: then a stop interrupts it.
   */
  readonly outcomeOf: (request: string) => Promise<object> | undefined;
  readonly log: Logger;
}

/** An effect that is asked for. */
export interface Wanted {
  readonly request: Request & { readonly id: string };
  readonly address: ReplyAddress;
  /** It has a time to live. */
  readonly hasTtl: boolean;
  readonly work: Work;
}

/**
 * Each effect happens once: it is booked before it begins, and its answer before it is told. What a crash cut off is
 * answered by the next start, or run again where the command allows that.
 */
export class Effects {
  readonly #parts: EffectsParts;
  readonly #ledger: Ledger;
  readonly #running = new Set<Promise<void>>();
  #stopping = new AbortController();

  constructor(parts: EffectsParts) {
    this.#parts = parts;
    this.#ledger = parts.ledger;
  }

  /** Answers what the last process left behind. Fails with `STATE_…`. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    for (const entry of await this.#ledger.open()) this.#track(this.#resume(entry));
  }

  /** Once the runner is stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  /** Resolves when it is booked, or refused because it cannot be: it begins only then. */
  async begin(wanted: Wanted): Promise<void> {
    const { request, address, work } = wanted;
    const { id, args } = request;
    const entry = entryOf(wanted);
    try {
      await this.#ledger.start(entry);
    } catch (error) {
      this.ledgerFailed(error);
      this.#parts.reply({ answer: refused("storage_full", "it could not be booked: nothing was done"), address, id });
      return;
    }
    if (work.command.spec.slow === true) this.#parts.reply({ answer: accepted, address, id });
    this.#track(this.#run(entry, work, args));
  }

  /** To one who sent a request again: the first answer, as soon as there is one. */
  async answerAgain(entry: Entry, address: ReplyAddress): Promise<void> {
    const { id, answer } = entry;
    if (answer !== undefined) this.#parts.reply({ answer, address, id, duplicate: true });
    else if (!(await this.#follows(entry, address))) {
      const text = "too many wait for the answer to this request already";
      this.#parts.reply({ answer: refused("busy", text, { unanswered: 1 }), address, id });
    }
  }

  ledgerFailed(error: unknown): void {
    const { code, message } = asAgentError(error, "writing the ledger of commands");
    this.#parts.log.warn("remote.ledger_failed", { code, error: message });
  }

  async #follows(entry: Entry, address: ReplyAddress): Promise<boolean> {
    const following = this.#ledger.follow(entry, address);
    if (following === undefined) return false;
    await following.catch((error: unknown) => this.ledgerFailed(error));
    return true;
  }

  async #run(entry: Entry, work: Work, args: unknown): Promise<void> {
    const outcome = await this.#parts.runner.run(work);
    // The next start answers it.
    if (outcome.wasStopped && this.#parts.outcomeOf(nameOf(entry)) !== undefined) return;
    await this.#conclude(entry, outcome, shownArgs(work.command, args));
  }

  async #resume(entry: Entry): Promise<void> {
    const going = this.#parts.outcomeOf(nameOf(entry));
    const again = this.#workAgain(entry);
    if (entry.answer !== undefined) this.#tell(entry, entry.answer, () => {});
    else if (going !== undefined) await this.#conclusionOf(entry, going);
    else if (again !== undefined) await this.#run(entry, again, entry.args);
    else await this.#conclude(entry, { answer: interrupted, afterReply: () => {} }, undefined);
  }

  async #conclusionOf(entry: Entry, going: Promise<object>): Promise<void> {
    let answer: Answer;
    try {
      answer = { state: "done", code: "ok", data: await unlessStopped(going, this.#stopping.signal) };
    } catch (error) {
      // What still goes on at a stop is left to the next start.
      if (this.#stopping.signal.aborted) return;
      answer = answerOfError(asAgentError(error, `running ${entry.command}`));
    }
    await this.#conclude(entry, { answer, afterReply: () => {} }, undefined);
  }

  #workAgain({ id, key, command: name, args, waiting }: Entry): Work | undefined {
    const command = this.#parts.commands.get(name);
    const [first] = waiting;
    if (command?.spec.repeatable !== true || args === undefined || first === undefined) return undefined;
    const parsed = parseArgs(command.spec.args, args);
    if ("answer" in parsed) return undefined;
    const request: Request = { v: 1, dry: false, args: { ...args }, id, ...(key === undefined ? {} : { key }) };
    const call = this.#parts.callOf(request, first.address);
    return { command, args: parsed.args, call, spreadMs: 0, expiresMs: Infinity };
  }

  /** Never rejects. What was done is said, also where it cannot be written down. */
  async #conclude(
    entry: Entry,
    { answer, afterReply }: Pick<Outcome, "answer" | "afterReply">,
    shown: unknown,
  ): Promise<void> {
    await this.#ledger.done(entry, answer).catch((error: unknown) => this.ledgerFailed(error));
    const audit = auditOf(entry, answer, shown);
    const { command, id, key, state, code } = audit;
    this.#parts.log.info("remote.effect", { command, id, ...(key === undefined ? {} : { key }), state, code });
    this.#parts.audit(audit);
    this.#tell(entry, answer, afterReply);
  }

  /** To all who wait for it. */
  #tell(entry: Entry, answer: Answer, afterReply: () => void): void {
    const waiting = this.#ledger.find(entry)?.waiting ?? [];
    for (const [at, each] of waiting.entries()) {
      const settled = (error?: AgentError) => {
        if (at === 0) afterReply();
        // Given up for want of room, and not because it can never go: it is still owed, and the next start sends it.
        if (error?.code === "OUTBOX_FULL") return;
        this.#ledger.replied(entry, each).catch((error: unknown) => this.ledgerFailed(error));
      };
      const duplicate = each.duplicate === true;
      this.#parts.reply({ answer, address: each.address, id: entry.id, duplicate, settled });
    }
  }

  #track(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}

export const accepted: Answer = { state: "accepted", code: "accepted" };

/** Of what makes a request this one; its signature and counter may be new. */
export function bookedDigest({ args, ifRevision }: Request, name: string): string {
  return digestOf([name, args, ifRevision ?? null]);
}

function entryOf({ request, address, hasTtl, work }: Wanted): Entry {
  const { id, key, args } = request;
  const { name, repeatable = false } = work.command.spec;
  // How long a crash took is not known, so what may be too late by then is not tried again.
  const isKept = repeatable && !hasTtl && Buffer.byteLength(JSON.stringify(args)) <= remoteLimits.resultBytesMax;
  return {
    ...{ id, command: name, digest: bookedDigest(request, name), waiting: [{ address }] },
    ...(key === undefined ? {} : { key }),
    ...(isKept ? { args } : {}),
  };
}
