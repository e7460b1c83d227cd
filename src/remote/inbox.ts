import { asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import type { Logger, Seams } from "../core/ports.ts";
import type { MqttMessage } from "../link/mqtt-subscription.ts";
import type { Asked, Gate } from "./access.ts";
import { digestOf } from "./canonical-json.ts";
import type { Command } from "./command.ts";
import { accepted, bookedDigest, Effects, type EffectsParts } from "./effects.ts";
import { Flood } from "./flood.ts";
import { nameOf, type Ledger } from "./ledger.ts";
import type { Rate } from "./rate-limit.ts";
import { answerOfError, briefly, refused, type Answer, type Answered, type ReplyAddress } from "./reply.ts";
import { parseArgs, parseRequest, type ParsedRequest, type Request } from "./request.ts";
import { notBegun, Runner, type Work } from "./runner.ts";
import { Tally, type RequestCounts } from "./tally.ts";
import type { Topics } from "./topics.ts";

export interface InboxParts
  extends Pick<EffectsParts, "ledger" | "reply" | "audit">, Partial<Pick<EffectsParts, "outcomeOf">> {
  readonly topics: Topics;
  readonly commands: readonly Command[];
  readonly gate: Gate;
  /** Whether the caller may have its reply there. */
  readonly mayReplyTo: (responseTopic: string) => boolean;
  /** What a reply to there may have; `replyBytesMax` when left out. */
  readonly replyBytesMax?: (address: ReplyAddress) => number;
  /** Of the config in force. */
  readonly revision: () => number;
  /** For tests; the limits otherwise. */
  readonly rate?: Rate;
}

/** A request on its way: what was asked, who waits for the answer, and how long it holds. */
interface Arrival extends Asked {
  readonly address: ReplyAddress;
  readonly expiresMs: number;
  readonly hasTtl: boolean;
}

type Addressed = NonNullable<ReturnType<Topics["request"]>>;

/** Takes requests and sees to it that each gets exactly one final reply. */
export class Inbox {
  readonly #parts: InboxParts;
  readonly #log: Logger;
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #ledger: Ledger;
  readonly #flood: Flood;
  readonly #runner: Runner;
  readonly #effects: Effects;
  readonly #tally = new Tally();
  readonly #asking = new Set<Promise<void>>();

  constructor(parts: InboxParts, seams: Seams) {
    this.#parts = parts;
    this.#log = seams.log;
    this.#commands = new Map(parts.commands.map((each) => [each.spec.name, each]));
    this.#ledger = parts.ledger;
    this.#runner = new Runner(seams);
    this.#flood = new Flood(seams.clock, parts.rate, (address, unanswered) => {
      this.#tally.unanswered += unanswered - 1;
      const text = `too many requests: ${unanswered} are not looked at`;
      this.#reply({ answer: refused("busy", text, { unanswered }), address });
    });
    this.#effects = new Effects({
      ...{ ledger: parts.ledger, audit: parts.audit, log: seams.log },
      ...{ runner: this.#runner, commands: this.#commands },
      outcomeOf: parts.outcomeOf ?? (() => undefined),
      reply: (answered) => this.#reply(answered),
      callOf: (request, address) => this.#callOf(request, address),
    });
  }

  /** Since this process began. */
  counts(): RequestCounts {
    return this.#tally.counts(this.#runner.underWay);
  }

  /** Final replies by command and state, `NAME STATE`; since this process began. */
  countsByCommand(): Readonly<Record<string, number>> {
    return this.#tally.byCommand();
  }

  /** Answers what the last process left behind. Fails with `STATE_…`. */
  async start(): Promise<void> {
    this.#runner.start();
    this.#flood.start();
    await this.#effects.start();
  }

  /** Stops what is running; each of those still gets its final reply. */
  async stop(): Promise<void> {
    this.#runner.stop();
    await Promise.all([...this.#asking, this.#effects.stop()]);
    await this.#flood.stop();
  }

  /**
   * Resolves when the message may be acknowledged: it is answered, or booked so that a crash does not lose it. `cameOn` is
   * where it was published, where that is not the command's own topic.
   */
  async take(message: MqttMessage, cameOn = message.topic): Promise<void> {
    const addressed = this.#parts.topics.request(message.topic);
    if (addressed === undefined || isClearing(message)) return;
    const { name } = addressed;
    const address = this.#addressOf(name, message);
    this.#tally.received += 1;
    if (!this.#flood.admits(address)) return;
    try {
      const arrival = this.#read({ ...message, topic: cameOn }, addressed, address);
      if (arrival !== undefined) await this.#admit(arrival);
    } catch (error) {
      const failure = asAgentError(error, `taking the request ${address.command}`);
      this.#log.error("remote.request_failed", {
        command: address.command,
        code: failure.code,
        error: failure.message,
      });
      this.#reply({ answer: answerOfError(failure), address });
    }
  }

  /** A request for which there was no room: it is counted, and a reply speaks for it. */
  missed(message: MqttMessage): void {
    const addressed = this.#parts.topics.request(message.topic);
    if (addressed === undefined || isClearing(message)) return;
    this.#tally.received += 1;
    this.#flood.turnAway(this.#addressOf(addressed.name, message));
  }

  /** Undefined where it is answered already. */
  #read(message: MqttMessage, { name, channel }: Addressed, address: ReplyAddress): Arrival | undefined {
    const read = message.retain ? retained(message.topic) : parseRequest(message.payload);
    if (read.kind === "none") {
      this.#reply({ answer: read.answer, address, ...idOf(read) });
      return undefined;
    }
    const { request, unsigned } = read;
    const command = this.#commands.get(name);
    if (command === undefined) {
      const answer = refused("unknown_command", `there is no command ${name.slice(0, 64)}`);
      this.#reply({ answer, address, ...idOf(request) });
      return undefined;
    }
    const recipient = this.#parts.topics.recipient(channel, name);
    const ttlMs = Math.min(request.ttlMs ?? Infinity, (message.expirySeconds ?? Infinity) * 1_000);
    const expiry = { expiresMs: message.arrivedMs + ttlMs, hasTtl: ttlMs < Infinity };
    return { request, unsigned, command, channel, recipient, address, ...expiry };
  }

  /** Who asks, whether it was asked before, and only then what is asked. */
  async #admit(arrival: Arrival): Promise<void> {
    const { request, address } = arrival;
    const answer = await this.#parts.gate.refuse(arrival);
    if (answer !== undefined) {
      this.#reply({ answer, address, ...idOf(request) });
      return;
    }
    try {
      if (await this.#answeredBefore(arrival)) return;
      const taken = this.#refusedOrWork(arrival);
      if ("state" in taken) this.#reply({ answer: taken, address, ...idOf(request) });
      else await this.#begin(arrival, taken);
    } finally {
      // What was heard from a key is never new again, whatever came of it.
      await this.#ledger.flush().catch((error: unknown) => this.#effects.ledgerFailed(error));
    }
  }

  /** A request that comes again gets the first answer; one that is older than the last of its key gets none. */
  async #answeredBefore(arrival: Arrival): Promise<boolean> {
    const { request, command, address } = arrival;
    const isNew = this.#count(arrival);
    const { id, key } = request;
    const entry = id === undefined || request.dry ? undefined : this.#ledger.find({ id, ...keyOf(key) });
    const isSame = entry !== undefined && entry.digest === bookedDigest(request, command.spec.name);
    if (isSame) {
      this.#tally.duplicates += 1;
      await this.#effects.answerAgain(entry, address);
      return true;
    }
    if (!isNew) {
      this.#reply({ answer: refused("stale", staleText(request)), address, ...idOf(request) });
      return true;
    }
    if (entry === undefined) return false;
    this.#reply({ answer: refused("id_reused", `another request had the id ${id}`), address, ...idOf(request) });
    return true;
  }

  /** Whether a signed request is newer than all before. The broker may bring a question twice; that does no harm. */
  #count({ request, unsigned, command }: Arrival): boolean {
    const { key, seq } = request;
    if (key === undefined || seq === undefined) return true;
    const digest = digestOf([command.spec.name, unsigned]);
    const last = this.#ledger.lastOf(key);
    if (last !== undefined && seq <= last.seq) {
      return seq === last.seq && digest === last.digest && !hasEffect(command, request);
    }
    this.#ledger.count(key, { seq, digest });
    return true;
  }

  #refusedOrWork({ request, command, channel, address, expiresMs }: Arrival): Answer | Work {
    if (this.#runner.isStopping) return notBegun;
    const parsed = parseArgs(command.spec.args, request.args);
    if ("answer" in parsed) return parsed.answer;
    const { id, ifRevision } = request;
    if (hasEffect(command, request) && id === undefined) {
      return refused("bad_args", "/id: needed by what has an effect", { path: "/id" });
    }
    const revision = this.#parts.revision();
    if (ifRevision !== undefined && ifRevision !== revision) {
      return refused("conflict", `the config has revision ${revision} by now`, { revision });
    }
    const spreadMs = channel.kind === "device" ? 0 : (request.spreadMs ?? 0);
    if (!this.#runner.hasRoomFor({ command, spreadMs })) {
      return refused("busy", "too many requests are under way", { unanswered: 1 });
    }
    const call = this.#callOf(request, address);
    return { command, args: parsed.args, call, spreadMs, expiresMs };
  }

  #callOf(request: Request, address: ReplyAddress): Work["call"] {
    const { id, key, dry } = request;
    return {
      dry,
      ...(id === undefined || dry ? {} : { request: nameOf({ id, ...keyOf(key) }) }),
      may: (scope) => this.#parts.gate.may(request, scope),
      progress: (data) =>
        this.#reply({ answer: { state: "progress", code: "progress", data }, address, ...idOf(request) }),
    };
  }

  async #begin({ request, command, address, hasTtl }: Arrival, work: Work): Promise<void> {
    const { id } = request;
    if (id !== undefined && hasEffect(command, request)) {
      await this.#effects.begin({ request: { ...request, id }, address, hasTtl, work });
      return;
    }
    if (command.spec.slow === true) this.#reply({ answer: accepted, address, ...idOf(request) });
    const asking = this.#ask(request, address, work).finally(() => this.#asking.delete(asking));
    this.#asking.add(asking);
  }

  async #ask(request: Request, address: ReplyAddress, work: Work): Promise<void> {
    const { answer, afterReply } = await this.#runner.run(work);
    this.#reply({ answer, address, ...idOf(request), dry: request.dry, settled: () => afterReply() });
  }

  #reply(answered: Answered): void {
    const bytesMax = this.#parts.replyBytesMax?.(answered.address) ?? Infinity;
    const answer = briefly(answered.answer, Math.min(remoteLimits.replyBytesMax, bytesMax));
    const { command } = answered.address;
    this.#tally.count(answer, this.#commands.has(command) ? command : undefined);
    this.#parts.reply({ ...answered, answer });
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

/** An empty retained message clears a topic, and asks for nothing. */
function isClearing({ retain, payload }: MqttMessage): boolean {
  return retain && payload.length === 0;
}

function retained(topic: string): ParsedRequest {
  const text = `kept by the broker, never run; clear it: an empty retained message to ${topic}`;
  return { kind: "none", answer: refused("retained_refused", text) };
}

function staleText({ seq, key }: Request): string {
  return `the counter ${seq} is not above the last one of the key ${key}`;
}

function hasEffect({ spec }: Command, { dry }: Request): boolean {
  return spec.effect && !dry;
}

function idOf({ id }: { readonly id?: string | undefined }): { readonly id?: string } {
  return id === undefined ? {} : { id };
}

function keyOf(key: string | undefined): { readonly key?: string } {
  return key === undefined ? {} : { key };
}
