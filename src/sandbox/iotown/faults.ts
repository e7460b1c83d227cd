/** What the sandbox can be told to do instead of answering well. `stores`: the image is kept before the fault. */
export type SandboxFault =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly stores?: boolean;
    }
  /** Cuts the connection as soon as the headers are in. */
  | { readonly kind: "reset-early" }
  /** Cuts it when the whole body is in. */
  | { readonly kind: "reset-late"; readonly stores: boolean }
  /** Cuts it in the middle of the answer. */
  | { readonly kind: "reset-answer"; readonly stores: boolean }
  /** Takes the body and stays silent. */
  | { readonly kind: "hang"; readonly stores: boolean }
  /** Answers 200 and then a byte at a time, for ever. */
  | { readonly kind: "drip"; readonly everyMs: number }
  /** Answers well, after a while. */
  | { readonly kind: "late"; readonly delayMs: number }
  /** Answers 200 with this many bytes. */
  | { readonly kind: "long-answer"; readonly sizeBytes: number };

const json = { "Content-Type": "application/json" };
const html = { "Content-Type": "text/html; charset=utf-8" };
const page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome</body></html>";

function refusal(status: number, errorMsg: string): SandboxFault {
  return { kind: "answer", status, headers: json, body: JSON.stringify({ errorCode: status, errorMsg }) };
}

/** The faults that have a name on the command line. */
export const iotownFaults = {
  "not-json": { kind: "answer", status: 200, headers: json, body: "{oops", stores: true },
  "bare-string": { kind: "answer", status: 200, headers: json, body: '"OK"', stores: true },
  empty: { kind: "answer", status: 200, stores: true },
  html: { kind: "answer", status: 200, headers: html, body: page },
  "error-in-200": { kind: "answer", status: 200, headers: json, body: '{"errorCode":500,"errorMsg":"Busy"}' },
  "created-201": { kind: "answer", status: 201, headers: json, body: '{"errorCode":201,"errorMsg":"Created"}' },
  "no-content-204": { kind: "answer", status: 204 },
  "bad-request-400": refusal(400, "Bad Request"),
  "html-400": { kind: "answer", status: 400, headers: html, body: page },
  "unauthorized-401": refusal(401, "Invalid Token"),
  "forbidden-403": refusal(403, "Forbidden"),
  "not-found-404": refusal(404, "Not Found"),
  "too-large-413": { kind: "answer", status: 413, headers: html, body: "<html><h1>413 Too Large</h1></html>" },
  "too-many-429": { kind: "answer", status: 429, headers: { ...json, "Retry-After": "7" }, body: "{}" },
  "server-error-500": refusal(500, "Internal Server Error"),
  "bad-gateway-502": { kind: "answer", status: 502, headers: html, body: page },
  "unavailable-503": { kind: "answer", status: 503, headers: { ...json, "Retry-After": "11" }, body: "{}" },
  "reset-early": { kind: "reset-early" },
  "reset-late": { kind: "reset-late", stores: false },
  "reset-after-store": { kind: "reset-late", stores: true },
  "reset-answer": { kind: "reset-answer", stores: true },
  hang: { kind: "hang", stores: false },
  "hang-after-store": { kind: "hang", stores: true },
  drip: { kind: "drip", everyMs: 50 },
  "long-answer": { kind: "long-answer", sizeBytes: 4 * 1024 * 1024 },
} as const satisfies Readonly<Record<string, SandboxFault>>;

export function redirectFault(status: 301 | 302 | 307 | 308, location: string): SandboxFault {
  return { kind: "answer", status, headers: { Location: location } };
}
