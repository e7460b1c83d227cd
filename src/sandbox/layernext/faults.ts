import { commonFaults, json, type SandboxFault } from "../faults.ts";

const refusal = (_status: number, message: string) => JSON.stringify({ error: { message } });

/** The faults that have a name on the command line. */
export const layernextFaults = {
  ...commonFaults(refusal),
  "not-json": { kind: "answer", status: 200, headers: json, body: "{oops", stores: true },
  "bare-string": { kind: "answer", status: 200, headers: json, body: '"OK"', stores: true },
  empty: { kind: "answer", status: 200, stores: true },
  "no-success-200": { kind: "answer", status: 200, headers: json, body: '{"isSuccess":false}' },
  "created-201": { kind: "answer", status: 201, headers: json, body: "{}" },
  "no-content-204": { kind: "answer", status: 204 },
  "not-acceptable-406": {
    kind: "answer",
    status: 406,
    headers: json,
    body: refusal(406, "Collection name is not available"),
  },
} as const satisfies Readonly<Record<string, SandboxFault>>;
