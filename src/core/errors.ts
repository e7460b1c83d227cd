/**
 * Every operating error of Framepost. Foreign errors (an errno, an HTTP status, an MQTT reason code, a native message)
 * become an AgentError in the one module that owns their package, and nowhere else.
 */

/** What a caller can do: try again later, give this one up, or stop because only a person can mend it. */
export type Disposition = "retry" | "reject" | "fatal";

export interface AgentErrorOptions {
  readonly disposition: Disposition;
  readonly cause?: unknown;
  /** When the other side said how long to wait. */
  readonly afterMs?: number;
  /** Extra facts for the log. Never secrets, never image data. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** `message` says what was attempted, with which thing, and what came back; it never holds a secret or a URL's query. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  /** Stable, documented, UPPER_SNAKE. */
  readonly code: string;
  readonly disposition: Disposition;
  readonly afterMs: number | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean>>;

  constructor(code: string, message: string, options: AgentErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.disposition = options.disposition;
    this.afterMs = options.afterMs;
    this.facts = options.facts ?? {};
  }
}

/** The code of an error of Node's own, for example `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

/** The disk is full, or the quota of the user. */
export function isForWantOfRoom(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "ENOSPC" || errno === "EDQUOT";
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || errnoOf(error) === "ABORT_ERR");
}

/** Text of anything thrown, one line, at most `charsMax` characters: foreign text is never trusted to be short. */
export function messageOf(error: unknown, charsMax = 300): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line;
}

/** An AgentError as it is; anything else as a bug of ours, which is worth one retry and a loud log line. */
export function asAgentError(error: unknown, attempted: string): AgentError {
  if (error instanceof AgentError) return error;
  if (isAbort(error)) return new AgentError("ABORTED", `${attempted}: stopped`, { disposition: "retry", cause: error });
  return new AgentError("UNEXPECTED", `${attempted}: ${messageOf(error)}`, { disposition: "retry", cause: error });
}
