import type { commonFaults } from "../../src/sandbox/faults.ts";

type CommonFault = keyof ReturnType<typeof commonFaults>;

/** In the words of `inWords`: what a delivery comes to under the faults of all platforms, where one has no say of its own. */
export const commonOutcomes = {
  html: "target? HTTP_NOT_THE_PLATFORM",
  "bad-request-400": "rejected HTTP_400",
  "html-400": "target? HTTP_NOT_THE_PLATFORM",
  "unauthorized-401": "target HTTP_401",
  "forbidden-403": "target? HTTP_403",
  "not-found-404": "target HTTP_404",
  "too-large-413": "rejected HTTP_413",
  "too-many-429": "target HTTP_429 after 7000",
  "server-error-500": "target? HTTP_500",
  "bad-gateway-502": "target? HTTP_502",
  "unavailable-503": "target? HTTP_503 after 11000",
  "reset-early": "target? NET_RESET",
  "reset-late": "target? NET_RESET",
  "reset-after-store": "target? NET_RESET",
  "reset-answer": "target? NET_RESET",
  hang: "target? NET_TIMEOUT",
  "hang-after-store": "target? NET_TIMEOUT",
  drip: "target ABORTED",
  "long-answer": "target? HTTP_ANSWER_TOO_LARGE",
} as const satisfies Readonly<Record<CommonFault, string>>;

/** Those of them after which the picture is at the server. */
export const commonStoring = [
  "reset-after-store",
  "reset-answer",
  "hang-after-store",
] as const satisfies readonly CommonFault[];
