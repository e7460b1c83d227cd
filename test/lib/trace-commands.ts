import { z } from "zod";
import { AgentError } from "../../src/core/errors.ts";
import { command, type Command, type CommandCall } from "../../src/remote/command.ts";

/** Commands that leave a trace, for tests of what stands around commands. */

const args = z.strictObject({ n: z.int().optional(), secret: z.string().optional() });

const base = { summary: "Leaves a trace.", args, example: {}, answer: "n" } as const;

export interface Traced {
  readonly name: string;
  readonly n: number;
  readonly dry: boolean;
  readonly call: CommandCall;
  /** Ends what waits. */
  readonly end: () => void;
  readonly fail: (error: Error) => void;
}

export class TraceCommands {
  readonly traces: Traced[] = [];
  readonly commands: readonly Command[];

  constructor() {
    const quick = { ...base, slow: false } as const;
    this.commands = [
      command({ ...quick, name: "look", scope: "read", effect: false }, (given, call) =>
        this.#trace("look", given, call),
      ),
      command({ ...quick, name: "mark", scope: "capture", effect: true }, (given, call) =>
        this.#trace("mark", given, call),
      ),
      command({ ...quick, name: "again", scope: "capture", effect: true, repeatable: true }, (given, call) =>
        this.#trace("again", given, call),
      ),
      command({ ...quick, name: "wait", scope: "queue", effect: true }, (given, call) =>
        this.#wait("wait", given, call),
      ),
      command({ ...base, name: "slow", scope: "admin", effect: true, slow: true }, (given, call) =>
        this.#wait("slow", given, call),
      ),
      {
        ...command({ ...quick, name: "secret", scope: "config", effect: true }, (given, call) =>
          this.#trace("secret", given, call),
        ),
        shown: () => ["/secret"],
      },
      command({ ...quick, name: "break", scope: "config", effect: true }, async () => {
        throw new Error("a bug");
      }),
      command({ ...quick, name: "fail", scope: "config", effect: true }, async () => {
        throw new AgentError("CAMERA_GONE", "no camera", { disposition: "retry" });
      }),
      command({ ...quick, name: "large", scope: "read", effect: false }, async () => ({ text: "x".repeat(300_000) })),
    ];
  }

  /** How often each number was left by what changes something. */
  numbers(): readonly number[] {
    return this.traces.filter(({ name, dry }) => name !== "look" && !dry).map(({ n }) => n);
  }

  async #trace(name: string, { n = 0 }: z.output<typeof args>, call: CommandCall): Promise<object> {
    this.traces.push({ ...{ name, n, call, dry: call.dry }, end: () => {}, fail: () => {} });
    return { n };
  }

  async #wait(name: string, { n = 0 }: z.output<typeof args>, call: CommandCall): Promise<object> {
    await new Promise<void>((end, fail) => this.traces.push({ ...{ name, n, call, end, fail, dry: call.dry } }));
    return { n };
  }
}
