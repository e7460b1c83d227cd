import { AgentError } from "../../core/errors.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Cursor } from "../../core/types.ts";

/** The outcomes that remo's protocol has beside those of HTTP. Texts of the server are cut: they may list whole batches. */

const textCharsMax = 160;

/** A refusal of a request that no single record is to blame for: it must not empty the spool into quarantine. */
export function blamingTarget(error: AgentError): AgentError {
  if (outcomeOf(error).kind !== "rejected") return error;
  const { message, facts } = error;
  return new AgentError("REMO_REFUSED", message, { disposition: "retry", facts, cause: error });
}

export function settingsError(message: string): AgentError {
  return new AgentError("REMO_SETTINGS", message, { disposition: "fatal" });
}

export function sessionFailed(what: string, text: string): AgentError {
  return new AgentError("REMO_SESSION_FAILED", `${what}: remo says: ${cut(text)}`, { disposition: "retry" });
}

export function fileRefused(name: string, text: string): AgentError {
  return new AgentError("REMO_FILE_REFUSED", `${name}: remo says: ${cut(text)}`, { disposition: "reject" });
}

export function fileFailed(name: string, text: string): AgentError {
  return new AgentError("REMO_FILE_FAILED", `${name}: remo says: ${cut(text)}`, { disposition: "retry" });
}

export function stillWorking(name: string, sessionId: string): AgentError {
  return new AgentError("REMO_PENDING", `${name}: remo is still working on session ${sessionId}`, {
    disposition: "retry",
  });
}

/** Nobody's fault: a crash or a lost answer came between the picture and its annotations. */
export function labelsMissing(name: string): AgentError {
  return new AgentError("REMO_PENDING", `${name}: it is in the dataset, and its annotations are still to be sent`, {
    disposition: "retry",
  });
}

export function stuck(name: string, sessionId: string): AgentError {
  return new AgentError("REMO_STUCK", `${name}: remo's session ${sessionId} does not move any more`, {
    disposition: "retry",
  });
}

export function withCursor(error: AgentError, cursor: Cursor, afterMs?: number): Outcome {
  const outcome = outcomeOf(error);
  if (outcome.kind !== "retry") return outcome;
  return { ...outcome, cursor, ...(afterMs === undefined ? {} : { afterMs }) };
}

function cut(text: string): string {
  const line = text.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return line.length > textCharsMax ? `${line.slice(0, textCharsMax - 1)}…` : line;
}
