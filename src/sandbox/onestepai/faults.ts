import { commonFaults, json, type SandboxFault } from "../faults.ts";

/** The faults that have a name on the command line. */
export const onestepaiFaults = {
  ...commonFaults((status, title) => JSON.stringify({ status, title })),
  "bad-gateway-502-after-store": {
    kind: "answer",
    status: 502,
    headers: { "Content-Type": "text/html" },
    body: "<html><h1>502 Bad Gateway</h1></html>",
    stores: true,
  },
  "no-content-204": { kind: "answer", status: 204 },
  "not-json": { kind: "answer", status: 200, headers: json, body: "{oops", stores: true },
  slow: { kind: "late", delayMs: 3_000 },
} as const satisfies Readonly<Record<string, SandboxFault>>;
