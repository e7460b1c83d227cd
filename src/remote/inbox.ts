import { createHash } from "node:crypto";
import { AgentError, asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/limits.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger, Random, Seams } from "../core/ports.ts";
import type { MqttMessage } from "../link/mqtt-subscription.ts";
import type { Command, CommandCall, Scope } from "./command.ts";
import type { Entry, Ledger, ReplyAddress } from "./ledger.ts";
import { RateLimit } from "./rate-limit.ts";
import { answerOfError, isFinal, refused, type Answer } from "./reply.ts";
import { parseArgs, parseRequest, type ParsedRequest, type Request } from "./request.ts";
import type { Channel, Topics } from "./topics.ts";

/** Whether a request may be run: who signed it, what that key may do, and whether it is a new one. */
export interface Gate {
  /** Undefined: it may. */
  refuse(request: Request, command: Command, channel: Channel): Promise<Answer | undefined>;
  /** Whether this caller has a scope; of one that was not refused. */
  may(request: Request, scope: Scope): boolean;
}

export interface Answered {
  readonly answer: Answer;
  readonly address: ReplyAddress;
  readonly id?: string;
  readonly dry?: boolean;
  readonly duplicate?: boolean;
  /** Once: the broker has the reply, or it can never go. */
  readonly settled?: () => void;
}

/** An effect, for whoever keeps count of them. */
export interface Audit {
  readonly command: string;
  readonly id: string;
  readonly key?: string;
  /** Absent where an earlier start took the request. */
  readonly args?: unknown;
  readonly answer: Answer;
}

export interface InboxParts {
  readonly topics: Topics;
  readonly commands: readonly Command[];
  readonly ledger: Ledger;
  readonly gate: Gate;
  /** Whether the caller may have its reply there. */
  readonly mayReplyTo: (responseTopic: string) => boolean;
  readonly reply: (answered: Answered) => void;
  readonly audit: (audit: Audit) => void;
  /** Of the config in force. */
  readonly revision: () => number;
  /**
   * What outlives a stop, as a change of the config does for which everything is started anew: resolves with the data of
   * the reply or fails. Undefined where nothing of this request goes on: then a stop interrupts it.
   */
  readonly outcomeOf?: (request: string) => Promise<object> | undefined;
}

interface Judged {
  readonly request: Request;
  readonly command: Command;
  readonly args: unknown;
}

interface Run extends Judged {
  readonly address: ReplyAddress;
  /** Of one with an effect. */
  readonly entry?: Entry;
  readonly arrivedMs: number;
  readonly expiresMs: number;
}

/** Takes requests and sees to it that each gets exactly one final reply, and that each effect happens once. */
export class Inbox {
  readonly #parts: InboxParts;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #rate: RateLimit;
  readonly #running = new Set<Promise<void>>();
  #slow: Promise<void> = Promise.resolve();
  #slowWaiting = 0;
  #telling: Promise<void> | undefined;
  #stopping = new AbortController();

  constructor(parts: InboxParts, seams: Seams) {
    this.#parts = parts;
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#log = seams.log;
    this.#commands = new Map(parts.commands.map((each) => [each.spec.name, each]));
    this.#rate = new RateLimit(seams.clock);
  }

  /** Answers what the last process left behind. Fails with `STATE_…`. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    for (const entry of await this.#parts.ledger.open()) {
      const going = entry.answer === undefined ? this.#parts.outcomeOf?.(nameOf(entry)) : undefined;
      if (going === undefined) await this.#answerLeft(entry, entry.answer ?? interrupted);
      else this.#track(this.#answerGoing(entry, going));
    }
  }

  async #answerLeft(entry: Entry, answer: Answer): Promise<void> {
    if (entry.answer === undefined) await this.#parts.ledger.done(entry, answer);
    this.#say({ answer, address: entry.address, id: entry.id }, entry);
  }

  /** Of a request that an earlier start took. Never rejects; one that still goes on at a stop is left to the next start. */
  async #answerGoing(entry: Entry, going: Promise<object>): Promise<void> {
    let answer: Answer;
    try {
      answer = { state: "done", code: "ok", data: await unlessStopped(going, this.#stopping.signal) };
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      answer = answerOfError(asAgentError(error, `running ${entry.address.command}`));
    }
    try {
      await this.#answerLeft(entry, answer);
      const { id, key, address } = entry;
      this.#parts.audit({ command: address.command, id, answer, ...(key === undefined ? {} : { key }) });
    } catch (error) {
      const { code, message } = asAgentError(error, "booking a result");
      this.#log.error("remote.ledger_failed", { code, error: message });
    }
  }

  #track(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Stops what is running; each of those still gets its final reply. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
    await this.#telling;
  }

  /** Resolves when the message may be acknowledged: it is answered, or booked so that a crash does not lose it. */
  async take(message: MqttMessage): Promise<void> {
    const addressed = this.#parts.topics.request(message.topic);
    if (addressed === undefined) return;
    const { name, channel } = addressed;
    const address = this.#addressOf(name, message);
    const pass = this.#rate.take();
    if (pass.kind !== "pass") {
      if (pass.kind === "busy") this.#sayBusy(address, pass.unanswered);
      else this.#tellRestLater(address);
      return;
    }
    try {
      await this.#taken(message, channel, name, address);
    } catch (error) {
      const failure = asAgentError(error, `taking the request ${name}`);
      this.#log.error("remote.request_failed", { command: name, code: failure.code, error: failure.message });
      this.#parts.reply({ answer: answerOfError(failure), address });
    }
  }

  async #taken(message: MqttMessage, channel: Channel, name: string, address: ReplyAddress): Promise<void> {
    const arrivedMs = this.#clock.monotonicMs();
    const read = message.retain ? retained(message.topic) : parseRequest(message.payload);
    if (read.kind === "none") {
      this.#parts.reply({ answer: read.answer, address, ...(read.id === undefined ? {} : { id: read.id }) });
      return;
    }
    const { request } = read;
    const known = this.#earlier(request, name);
    if (known !== undefined) {
      this.#parts.reply({ ...known, address, ...idOf(request) });
      return;
    }
    const judged = await this.#judge(request, name, channel);
    if ("state" in judged) {
      this.#parts.reply({ answer: judged, address, ...idOf(request) });
      return;
    }
    await this.#begin(
      { ...judged, address, arrivedMs, expiresMs: arrivedMs + timeToLiveMs(request, message) },
      channel,
    );
  }

  /** The first answer of a request that was here before. One still under way is answered by the reply to the first. */
  #earlier(request: Request, name: string): Pick<Answered, "answer" | "duplicate"> | undefined {
    if (request.id === undefined || request.dry) return undefined;
    const entry = this.#parts.ledger.find(request.id, request.key);
    if (entry === undefined) return undefined;
    if (entry.digest !== digestOf(request, name)) {
      return { answer: refused("id_reused", `another request had the id ${request.id}`) };
    }
    return { answer: entry.answer ?? underWay, duplicate: true };
  }

  async #judge(request: Request, name: string, channel: Channel): Promise<Judged | Answer> {
    const command = this.#commands.get(name);
    if (command === undefined) return refused("unknown_command", `there is no command ${name.slice(0, 64)}`);
    const parsed = parseArgs(command.spec.args, request.args);
    if ("answer" in parsed) return parsed.answer;
    const hasEffect = command.spec.effect && !request.dry;
    if (hasEffect && request.id === undefined)
      return refused("bad_args", "/id: needed by what has an effect", { path: "/id" });
    const refusal = await this.#parts.gate.refuse(request, command, channel);
    if (refusal !== undefined) return refusal;
    const { ifRevision } = request;
    const revision = this.#parts.revision();
    if (ifRevision !== undefined && ifRevision !== revision) {
      return refused("conflict", `the config has revision ${revision} by now`, { revision });
    }
    return { request, command, args: parsed.args };
  }

  async #begin(run: Omit<Run, "entry">, channel: Channel): Promise<void> {
    const { request, command, address } = run;
    const isSlow = command.spec.slow === true;
    if (isSlow ? this.#slowWaiting >= remoteLimits.slowWaitingMax : this.#running.size >= remoteLimits.runningMax) {
      const answer = refused("busy", "too many requests are under way", { unanswered: 1 });
      this.#parts.reply({ answer, address, ...idOf(request) });
      return;
    }
    const entry = await this.#booked(run);
    if (isSlow) this.#parts.reply({ answer: accepted, address, ...idOf(request) });
    this.#track(this.#finish({ ...run, ...(entry === undefined ? {} : { entry }) }, channel, isSlow));
  }

  async #booked({ request, command, address }: Omit<Run, "entry">): Promise<Entry | undefined> {
    const { id, key } = request;
    if (!command.spec.effect || request.dry || id === undefined) return undefined;
    const digest = digestOf(request, command.spec.name);
    const entry = { id, address, digest, replied: false, ...(key === undefined ? {} : { key }) };
    await this.#parts.ledger.start(entry);
    return entry;
  }

  /** Never rejects. */
  async #finish(run: Run, channel: Channel, isSlow: boolean): Promise<void> {
    const { request, command, address, entry } = run;
    const afterReply: (() => void)[] = [];
    let answer: Answer;
    try {
      await this.#spread(request, channel);
      answer = await (isSlow ? this.#inTurn(() => this.#run(run, afterReply)) : this.#run(run, afterReply));
      // The next start answers it.
      if (answer === interrupted && entry !== undefined && this.#parts.outcomeOf?.(nameOf(entry)) !== undefined) return;
      if (entry !== undefined) await this.#parts.ledger.done(entry, answer);
    } catch (error) {
      answer = answerOfError(asAgentError(error, `running ${command.spec.name}`));
    }
    if (entry !== undefined) {
      const { id, key } = entry;
      this.#parts.audit({
        command: command.spec.name,
        id,
        args: command.shown?.(request.args) ?? request.args,
        answer,
        ...(key === undefined ? {} : { key }),
      });
    }
    const settled = () => afterReply.forEach((then) => then());
    this.#say({ answer, address, ...idOf(request), ...(request.dry ? { dry: true } : {}) }, entry, settled);
  }

  async #run({ command, args, request, address, entry, expiresMs }: Run, afterReply: (() => void)[]): Promise<Answer> {
    if (this.#isStopping()) return interrupted;
    if (this.#clock.monotonicMs() > expiresMs) return expired;
    const { slow = false, name } = command.spec;
    const timeoutMs = slow ? remoteLimits.slowTimeoutMs : remoteLimits.commandTimeoutMs;
    const deadline = AbortSignal.timeout(timeoutMs);
    const call: CommandCall = {
      dry: request.dry,
      ...(entry === undefined ? {} : { request: nameOf(entry) }),
      may: (scope) => this.#parts.gate.may(request, scope),
      signal: AbortSignal.any([deadline, this.#stopping.signal]),
      progress: (data) =>
        this.#parts.reply({ answer: { state: "progress", code: "progress", data }, address, ...idOf(request) }),
      afterReply: (then) => afterReply.push(then),
    };
    try {
      const data = await unlessStopped(command.run(args, call), call.signal);
      return { state: "done", code: "ok", ...(data === undefined ? {} : { data }) };
    } catch (error) {
      if (this.#isStopping()) return interrupted;
      if (deadline.aborted) return answerOfError(timedOut(name, timeoutMs));
      const failure = asAgentError(error, `running ${name}`);
      if (failure.code === "UNEXPECTED")
        this.#log.error("remote.command_failed", { command: name, error: failure.message });
      return answerOfError(failure);
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** One slow command after the other. */
  async #inTurn(work: () => Promise<Answer>): Promise<Answer> {
    this.#slowWaiting += 1;
    const before = this.#slow;
    let end = () => {};
    this.#slow = new Promise((resolve) => (end = resolve));
    try {
      await before;
      return await work();
    } finally {
      this.#slowWaiting -= 1;
      end();
    }
  }

  async #spread({ spreadMs }: Request, channel: Channel): Promise<void> {
    if (channel.kind === "device" || spreadMs === undefined) return;
    await this.#clock.sleep(spreadMs * this.#random(), this.#stopping.signal).catch(() => undefined);
  }

  #say(answered: Answered, entry: Entry | undefined, then: () => void = () => {}): void {
    const settled = (): void => {
      then();
      if (entry === undefined || !isFinal(answered.answer)) return;
      this.#parts.ledger.replied(entry).catch((error: unknown) => {
        const { code, message } = asAgentError(error, "noting a reply");
        this.#log.warn("remote.ledger_failed", { code, error: message });
      });
    };
    this.#parts.reply({ ...answered, settled });
  }

  #sayBusy(address: ReplyAddress, unanswered: number): void {
    const answer = refused("busy", `too many requests: ${unanswered} are not looked at`, { unanswered });
    this.#parts.reply({ answer, address });
  }

  /** Those that came after the last such answer are spoken for even if nothing comes any more. */
  #tellRestLater(address: ReplyAddress): void {
    this.#telling ??= this.#clock
      .sleep(remoteLimits.busyEveryMs, this.#stopping.signal)
      .catch(() => undefined)
      .then(() => {
        this.#telling = undefined;
        const rest = this.#rate.rest();
        if (rest !== undefined) this.#sayBusy(address, rest.unanswered);
      });
  }

  #addressOf(command: string, { responseTopic, correlationData }: MqttMessage): ReplyAddress {
    const allowed = responseTopic !== undefined && this.#parts.mayReplyTo(responseTopic);
    // A name from a foreign topic becomes part of one of ours.
    const word = /^[a-z][a-z0-9.]{0,63}$/.test(command) ? command : "unknown";
    return {
      command: word,
      ...(allowed ? { responseTopic } : {}),
      ...(correlationData === undefined ? {} : { correlationData }),
    };
  }
}

const accepted: Answer = { state: "accepted", code: "accepted" };
const underWay: Answer = {
  state: "accepted",
  code: "accepted",
  message: "it is under way; the reply to the first request counts",
};
const interrupted: Answer = { state: "failed", code: "interrupted", message: "the agent was stopped in the middle" };
const expired: Answer = { state: "expired", code: "expired", message: "its time to live was over; nothing was done" };

function retained(topic: string): ParsedRequest {
  const message = `kept by the broker, never run; clear it: an empty retained message to ${topic}`;
  return { kind: "none", answer: refused("retained_refused", message) };
}

function timedOut(name: string, timeoutMs: number): AgentError {
  return new AgentError("COMMAND_TIMEOUT", `${name}: not done within ${timeoutMs} ms`, { disposition: "retry" });
}

/** Ids of two keys are two requests. No key has a space in it. */
function nameOf({ id, key }: Pick<Entry, "id" | "key">): string {
  return key === undefined ? id : `${key} ${id}`;
}

function idOf({ id }: Request): { readonly id?: string } {
  return id === undefined ? {} : { id };
}

function timeToLiveMs({ ttlMs = Infinity }: Request, { expirySeconds = Infinity }: MqttMessage): number {
  return Math.min(ttlMs, expirySeconds * 1_000);
}

/** Of what makes a request this one; its signature and counter may be new. */
function digestOf({ args, ifRevision }: Request, name: string): string {
  return createHash("sha256")
    .update(JSON.stringify([name, args, ifRevision ?? null]))
    .digest("base64url")
    .slice(0, 22);
}

async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new AgentError("ABORTED", "stopped", { disposition: "retry" }));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
