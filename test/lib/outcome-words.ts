import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { AgentError } from "../../src/core/errors.ts";
import { suspectsRecord, type Outcome } from "../../src/core/outcome.ts";

/** `accepted`, `rejected HTTP_400`, `target? HTTP_503 after 11000`: the question mark where the record is suspected. */
export function inWords(outcome: Outcome): string {
  switch (outcome.kind) {
    case "accepted":
      return "accepted";
    case "rejected":
      return `rejected ${outcome.error.code}`;
    case "retry": {
      const blamed = outcome.scope + (suspectsRecord(outcome.error) ? "?" : "");
      const wait = outcome.afterMs === undefined ? "" : ` after ${outcome.afterMs}`;
      return `${blamed} ${outcome.error.code}${wait}`;
    }
  }
}

/** Neither text nor hidden properties of an error hold a secret. */
export function assertClean(error: AgentError, secrets: readonly string[]): void {
  const forms = [error.message, error.stack, JSON.stringify(error), inspect(error, { depth: 10, showHidden: true })];
  const text = forms.join();
  for (const secret of secrets) assert.ok(!text.includes(secret), "a secret is in an error");
  assert.ok(error.message.length < 600, "an error text has a bound");
}
