import type { Audit } from "../../src/remote/audit.ts";
import { Access } from "../../src/remote/access.ts";
import type { Command } from "../../src/remote/command.ts";
import type { RemoteConfig } from "../../src/remote/config.ts";
import { Inbox, type InboxParts } from "../../src/remote/inbox.ts";
import { Ledger } from "../../src/remote/ledger.ts";
import { isFinal, type Answered } from "../../src/remote/reply.ts";
import { Topics } from "../../src/remote/topics.ts";
import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { RecordingLogger } from "./seams.ts";
import { SteppedClock } from "./stepped-clock.ts";
import { until } from "./poll.ts";

export interface RequestBenchOptions {
  readonly commands: readonly Command[];
  /** Of its ledger; an inbox that is made again over it is the next process. */
  readonly folder: string;
  readonly access?: Partial<Pick<RemoteConfig, "unsigned" | "keys" | "groupEffects">>;
  readonly parts?: Partial<InboxParts>;
  readonly random?: () => number;
  /** False: the broker takes no reply until `confirm`. */
  readonly confirms?: boolean;
}

type Sent = Partial<Omit<MqttMessage, "payload" | "topic">>;

/** A real inbox and ledger with a clock that the test moves; what it says is kept. */
export class RequestBench {
  readonly clock = new SteppedClock();
  readonly log = new RecordingLogger();
  readonly replies: Answered[] = [];
  readonly audits: Audit[] = [];
  readonly ledger: Ledger;
  readonly inbox: Inbox;
  readonly #confirms: boolean;

  constructor({ commands, folder, access = {}, parts = {}, random = () => 0.5, confirms = true }: RequestBenchOptions) {
    const keys = access.keys?.map(({ id }) => id) ?? [];
    this.ledger = new Ledger({ stateFolder: folder, keys }, { clock: this.clock, log: this.log });
    this.#confirms = confirms;
    const whole: InboxParts = {
      topics: new Topics("framepost", "gw"),
      ...{ commands, ledger: this.ledger },
      gate: new Access({ unsigned: undefined, keys: [], groupEffects: false, ...access }),
      mayReplyTo: (topic) => topic.startsWith("framepost/reply/"),
      reply: (answered) => {
        this.replies.push(answered);
        if (this.#confirms) answered.settled?.();
      },
      audit: (audit) => this.audits.push(audit),
      revision: () => 3,
      rate: { perSecond: 1_000_000, burst: 1_000_000 },
      ...parts,
    };
    this.inbox = new Inbox(whole, { clock: this.clock, log: this.log, random });
  }

  async start(): Promise<this> {
    await this.inbox.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.inbox.stop();
    await this.ledger.flush().catch(() => undefined);
  }

  /** Resolves when the message is acknowledged. */
  async take(topic: string, payload: string | Buffer, sent: Sent = {}): Promise<void> {
    const arrivedMs = this.clock.monotonicMs();
    await this.inbox.take({ topic, payload: Buffer.from(payload), qos: 1, retain: false, arrivedMs, ...sent });
  }

  /** To the device itself. */
  async send(name: string, request: object = {}, sent: Sent = {}): Promise<void> {
    await this.take(`framepost/gw/cmd/${name}`, JSON.stringify(request), sent);
  }

  /** Sends, and resolves with the final reply to it. */
  async ask(name: string, request: object = {}, sent: Sent = {}): Promise<Answered["answer"]> {
    const before = this.finals().length;
    await this.send(name, request, sent);
    await this.untilFinals(before + 1);
    const last = this.finals().at(-1);
    if (last === undefined) throw new Error("no reply");
    return last.answer;
  }

  finals(): readonly Answered[] {
    return this.replies.filter(({ answer }) => isFinal(answer));
  }

  /** `state/code` of all final replies. */
  words(): readonly string[] {
    return this.finals().map(({ answer: { state, code } }) => `${state}/${code}`);
  }

  async untilFinals(count: number): Promise<void> {
    await until(() => this.finals().length >= count, `${count} final replies; there are ${this.words().join(" ")}`);
  }

  /** The broker takes what was said so far. */
  confirm(): void {
    for (const { settled } of this.replies.slice()) settled?.();
  }
}
