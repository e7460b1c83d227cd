import { asAgentError } from "../../src/core/errors.ts";
import { hintFor } from "../hints.ts";

export interface CheckResult {
  readonly check: string;
  readonly result: "ok" | "warning" | "failed";
  /** What was found, or what went wrong. */
  readonly found: string;
  /** What a person should do or run. */
  readonly mend?: string;
}

export function failed(check: string, error: unknown): CheckResult {
  const { code, message } = asAgentError(error, check);
  const mend = hintFor(code) ?? "look at the log of: framepost run --log-level debug";
  return { check, result: "failed", found: `${message} (${code})`, mend };
}
