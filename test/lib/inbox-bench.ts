import { join } from "node:path";
import type { Command } from "../../src/remote/command.ts";
import type { Audit } from "../../src/remote/audit.ts";
import { Inbox } from "../../src/remote/inbox.ts";
import { Ledger } from "../../src/remote/ledger.ts";
import { type Answer, type Answered, isFinal } from "../../src/remote/reply.ts";
import { Topics } from "../../src/remote/topics.ts";
import { until } from "./poll.ts";
import { RecordingLogger } from "./seams.ts";
import { SteppedClock } from "./stepped-clock.ts";
import { tempFolder } from "./temp.ts";

/** Commands behind a real inbox, as a caller sees them: requests in, replies out. Everybody may do everything. */
export class InboxBench implements AsyncDisposable {
  readonly clock = new SteppedClock();
  readonly log = new RecordingLogger();
  readonly audits: Audit[] = [];
  readonly #answered: Answered[] = [];
  readonly #inbox: Inbox;
  readonly #temp: AsyncDisposable;
  #asked = 0;

  private constructor(commands: readonly Command[], temp: AsyncDisposable & { readonly path: string }) {
    this.#temp = temp;
    this.#inbox = new Inbox(
      {
        topics: new Topics("framepost", "gw"),
        commands,
        ledger: new Ledger({ stateFolder: join(temp.path, "state"), keys: [] }, { clock: this.clock, log: this.log }),
        gate: { refuse: async () => undefined, may: () => true },
        mayReplyTo: () => true,
        reply: (answered) => {
          this.#answered.push(answered);
          answered.settled?.();
        },
        audit: (audit) => this.audits.push(audit),
        revision: () => 1,
      },
      { clock: this.clock, random: () => 0, log: this.log },
    );
  }

  static async open(commands: readonly Command[]): Promise<InboxBench> {
    const bench = new InboxBench(commands, await tempFolder());
    await bench.#inbox.start();
    return bench;
  }

  /** All replies to one request, the last of them final. An id is made where `request` has none. */
  async replies(name: string, request: object = {}): Promise<readonly Answer[]> {
    // Below the rate limit.
    await this.clock.advance(1_000);
    this.#asked += 1;
    const from = this.#answered.length;
    const whole = { id: `request-${this.#asked}`, ...request };
    await this.#inbox.take({
      ...{ topic: `framepost/gw/cmd/${name}`, payload: Buffer.from(JSON.stringify(whole)), retain: false, qos: 1 },
      arrivedMs: this.clock.monotonicMs(),
    });
    const answers = () => this.#answered.slice(from).map(({ answer }) => answer);
    await until(() => answers().some(isFinal), `a final reply to ${name}`, 10_000);
    return answers();
  }

  async reply(name: string, args: object = {}, more: object = {}): Promise<Answer> {
    const answers = await this.replies(name, { args, ...more });
    const final = answers.filter(isFinal);
    if (final.length !== 1 || final[0] === undefined) throw new Error(`${final.length} final replies to ${name}`);
    return final[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inbox.stop();
    await this.#temp[Symbol.asyncDispose]();
  }
}
