import { asAgentError } from "../../src/core/errors.ts";
import type { Seams } from "../../src/core/ports.ts";
import { type Audit, auditOf, shownArgs } from "../../src/remote/audit.ts";
import type { Command, CommandCall } from "../../src/remote/command.ts";
import { nameOf } from "../../src/remote/ledger.ts";
import { type Answer, answerOfError, refused } from "../../src/remote/reply.ts";
import { parseArgs, requestSchema } from "../../src/remote/request.ts";
import { Runner } from "../../src/remote/runner.ts";
import type { CommandAnswer } from "../../src/web/page/ports.ts";
import type { PageMemory } from "./page-memory.ts";

/** Everything else that a device can be told, the page has no business with. */
const offered: readonly string[] = [
  ...["camera.list", "camera.reopen", "capture.pause", "capture.resume", "snapshot", "explain.frame"],
  ...["queue.stats", "queue.list", "queue.flush", "queue.purge"],
  ...["quarantine.list", "quarantine.requeue", "quarantine.purge"],
  ...["target.list", "target.test", "target.enable", "target.disable"],
  ...["upload.pause", "upload.resume", "explain.upload"],
  ...["model.list", "model.select", "model.rollback", "detect.set", "config.get", "log.level"],
];

/** Who asked, where effects are counted. No key of a signature has a space in it. */
const key = "local page";

export interface PageCommandsParts {
  readonly commands: readonly Command[];
  readonly memory: PageMemory;
  /** What a change of the config comes to that outlives the parts. */
  readonly outcomeOf: (request: string) => Promise<object> | undefined;
  readonly audit: (audit: Audit) => void;
}

/** The commands of remote control for whoever looks at the page: the same checks, the same answers, the same record. */
export class PageCommands {
  readonly #parts: PageCommandsParts;
  readonly #seams: Seams;
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #runner: Runner;

  constructor(parts: PageCommandsParts, seams: Seams) {
    this.#parts = parts;
    this.#seams = seams;
    this.#runner = new Runner(seams);
    const usable = parts.commands.filter(({ spec }) => offered.includes(spec.name));
    this.#commands = new Map(usable.map((command) => [command.spec.name, command]));
  }

  /** Interrupts what is under way. */
  stop(): void {
    this.#runner.stop();
  }

  /** A request that comes again, with its id, gets the same answer and has no second effect. */
  async run(name: string, body: unknown): Promise<CommandAnswer> {
    const command = this.#commands.get(name);
    if (command === undefined) return { kind: "unknown" };
    const answer = await this.#answer(command, body);
    this.#parts.memory.commands.add(`${name} ${answer.state}`);
    return { kind: "answered", state: answer.state, answer };
  }

  async #answer(command: Command, body: unknown): Promise<Answer> {
    const request = bodySchema.safeParse(body);
    if (!request.success) return refused("bad_json", "expected id, args and dry");
    const { id, args, dry } = request.data;
    const parsed = parseArgs(command.spec.args, args);
    if ("answer" in parsed) return parsed.answer;
    if (id === undefined) {
      if (command.spec.effect && !dry) return refused("bad_args", "a command with an effect needs an id");
      return this.#begin(command, parsed.args, { dry });
    }
    return this.#parts.memory.answerOf(`${command.spec.name} ${id}`, async () => {
      const { audit } = this.#parts;
      const answer = await this.#begin(command, parsed.args, { dry, request: nameOf({ id, key }) });
      if (!command.spec.effect || dry) return answer;
      const entry = { id, key, command: command.spec.name };
      const { state, code } = answer;
      this.#seams.log.info("remote.effect", { command: entry.command, id, key, state, code });
      audit(auditOf(entry, answer, shownArgs(command, args)));
      return answer;
    });
  }

  async #begin(command: Command, args: unknown, asked: Pick<CommandCall, "dry" | "request">): Promise<Answer> {
    const spreadMs = 0;
    if (!this.#runner.hasRoomFor({ command, spreadMs })) return refused("busy", "too much is under way already");
    // Addresses, credentials and what may stop collecting are changed in the config file, or with a signed command.
    const call = { ...asked, may: (scope: string) => scope !== "admin", progress: () => undefined };
    const outcome = await this.#runner.run({ command, args, call, spreadMs, expiresMs: Infinity });
    outcome.afterReply();
    const going = asked.request === undefined ? undefined : this.#parts.outcomeOf(asked.request);
    if (!outcome.wasStopped || going === undefined) return outcome.answer;
    return going.then(
      (data): Answer => ({ state: "done", code: "ok", data }),
      (error: unknown) => answerOfError(asAgentError(error, `running ${command.spec.name}`)),
    );
  }
}

const bodySchema = requestSchema.pick({ id: true, args: true, dry: true });
