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

export const json = { "Content-Type": "application/json" };
export const html = { "Content-Type": "text/html; charset=utf-8" };
/** What a captive portal or a proxy says. */
export const page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome</body></html>";

export const tooLargePage = "<html><h1>413 Too Large</h1></html>";

/** The faults that every platform can have, by their name on the command line; `refusal` is how the platform says no. */
export function commonFaults(refusal: (status: number, text: string) => string) {
  const refused = (status: number, text: string) =>
    ({ kind: "answer", status, headers: json, body: refusal(status, text) }) as const;
  return {
    html: { kind: "answer", status: 200, headers: html, body: page },
    "bad-request-400": refused(400, "Bad Request"),
    "html-400": { kind: "answer", status: 400, headers: html, body: page },
    "unauthorized-401": refused(401, "Invalid Token"),
    "forbidden-403": refused(403, "Forbidden"),
    "not-found-404": refused(404, "Not Found"),
    "too-large-413": { kind: "answer", status: 413, headers: html, body: tooLargePage },
    "too-many-429": { kind: "answer", status: 429, headers: { ...json, "Retry-After": "7" }, body: "{}" },
    "server-error-500": refused(500, "Internal Server Error"),
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
}

export function redirectFault(status: 301 | 302 | 307 | 308, location: string): SandboxFault {
  return { kind: "answer", status, headers: { Location: location } };
}
