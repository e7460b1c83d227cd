import { commonFaults, json, type SandboxFault } from "../faults.ts";

const withBody = (status: number, body: unknown, stores = false) =>
  ({ kind: "answer", status, headers: json, body: JSON.stringify(body), stores }) as const;

/** The faults that have a name on the command line. */
export const customVisionFaults = {
  ...commonFaults((_, message) => JSON.stringify({ code: "BadRequest", message })),
  "gateway-401": withBody(401, { error: { code: "401", message: "Access denied due to invalid subscription key" } }),
  "status-code-401": withBody(401, { statusCode: 401, message: "Unauthorized" }),
  "gateway-404": withBody(404, { error: { code: "404", message: "Resource not found" } }),
  "quota-400": withBody(400, { code: "BadRequestExceededQuota", message: "the quota is exceeded" }),
  "image-size-400": withBody(400, { code: "BadRequestImageSizeBytes", message: "the image is too large" }),
  "timeout-408": withBody(408, { code: "ErrorServerTimeOut", message: "try again" }),
  "not-json": { kind: "answer", status: 200, headers: json, body: "{oops", stores: true },
  empty: { kind: "answer", status: 200, stores: true },
  "no-images": withBody(200, { isBatchSuccessful: true, images: null }, true),
  "created-201": withBody(201, { isBatchSuccessful: true, images: [] }),
} as const satisfies Readonly<Record<string, SandboxFault>>;
