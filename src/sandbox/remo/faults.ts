import { commonFaults, json, type SandboxFault } from "../faults.ts";

const status = (word: string, facts: object = {}): string =>
  JSON.stringify({
    session_id: "0b6e0000-0000-4000-8000-000000000001",
    status: word,
    substatus: "",
    images: { pending: 0, total: 0, successful: 0, failed: 0, errors: [] },
    annotations: { pending: 0, total: 0, successful: 0, failed: 0, errors: [] },
    errors: [],
    ...facts,
  });

const answer = (status: number, body: string, stores = false) =>
  ({ kind: "answer", status, headers: json, body, stores }) as const;

/** The faults that have a name on the command line. */
export const remoFaults = {
  ...commonFaults((_, text) => JSON.stringify({ error: text, errors: [text] })),
  "not-json": answer(200, "{oops"),
  "empty-object": answer(200, "{}"),
  "bare-string": answer(200, '"OK"'),
  "errors-in-200": answer(200, '{"errors":["the disk is full"]}'),
  "error-in-200": answer(200, '{"error":"the disk is full"}'),
  "token-expired": answer(401, '{"detail":"Invalid token."}'),
  "wrong-password": answer(400, '{"non_field_errors":["Unable to log in with provided credentials."]}'),
  "status-pending": answer(200, status("pending")),
  "status-failed": answer(200, status("failed", { errors: [{ error: "the worker died" }] })),
  "status-gone": answer(404, '{"error":"session_id was not found"}'),
} as const satisfies Readonly<Record<string, SandboxFault>>;
