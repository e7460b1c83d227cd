import type { z } from "zod";

/** What a caller must be allowed to do. `admin` is what can stop collecting or lose records. */
export const scopes = ["read", "capture", "queue", "config", "admin"] as const;

export type Scope = (typeof scopes)[number];

/** What is known of a command without a device: the documents and the shell are made from it. */
export interface CommandSpec<A extends z.ZodType = z.ZodType> {
  /** Lower case words with dots between them: the last part of its topic. */
  readonly name: string;
  /** One sentence for an operator. */
  readonly summary: string;
  readonly scope: Scope;
  /** A strict object: unknown arguments are refused. */
  readonly args: A;
  /** Changes something: needs an id, is booked, and can be tried with `dry`. */
  readonly effect: boolean;
  /** Takes longer than a few seconds: says `accepted` first, and no other slow one runs beside it. */
  readonly slow?: boolean;
  /** After a crash it is run again instead of being answered `interrupted`: twice is the same as once. */
  readonly repeatable?: boolean;
  /** For the documents, and checked against `args` by a test. */
  readonly example: z.input<A>;
  /** What `data` of the reply holds, in one sentence. */
  readonly answer: string;
}

export interface CommandCall {
  /** Nothing may change: the answer is what would. */
  readonly dry: boolean;
  /** Names the request of an effect, also after a restart: its id, and the key that signed it. */
  readonly request?: string;
  /** Whether the caller has this scope too, for arguments that need more than the command itself. */
  may(scope: Scope): boolean;
  /** Aborted at the command's deadline, and when the agent stops. */
  readonly signal: AbortSignal;
  /** Tells the caller how far it is; for slow commands. */
  progress(data: object): void;
  /** Called once the final reply has reached the broker, or cannot: for what ends the connection. */
  afterReply(then: () => void): void;
}

/** A command of this device. */
export interface Command {
  readonly spec: CommandSpec;
  /** With arguments that the schema has parsed. Resolves with `data`; fails with an AgentError. */
  run(args: unknown, call: CommandCall): Promise<object | undefined>;
  /** The arguments as the audit may show them, where they can hold secrets. */
  readonly shown?: (args: unknown) => unknown;
}

export function command<A extends z.ZodType>(
  spec: CommandSpec<A>,
  run: (args: z.output<A>, call: CommandCall) => Promise<object | undefined>,
): Command {
  // The inbox hands over what this very schema has parsed.
  return { spec, run: (args, call) => run(args as z.output<A>, call) };
}
