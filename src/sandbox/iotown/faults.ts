import { commonFaults, json, type SandboxFault } from "../faults.ts";

/** The faults that have a name on the command line. */
export const iotownFaults = {
  ...commonFaults((errorCode, errorMsg) => JSON.stringify({ errorCode, errorMsg })),
  "not-json": { kind: "answer", status: 200, headers: json, body: "{oops", stores: true },
  "bare-string": { kind: "answer", status: 200, headers: json, body: '"OK"', stores: true },
  empty: { kind: "answer", status: 200, stores: true },
  "error-in-200": { kind: "answer", status: 200, headers: json, body: '{"errorCode":500,"errorMsg":"Busy"}' },
  "created-201": { kind: "answer", status: 201, headers: json, body: '{"errorCode":201,"errorMsg":"Created"}' },
  "no-content-204": { kind: "answer", status: 204 },
} as const satisfies Readonly<Record<string, SandboxFault>>;
