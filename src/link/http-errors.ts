import { AgentError } from "../core/errors.ts";
import { networkMeaning, type Meaning } from "./network-errors.ts";

/**
 * How a request that got no answer is told to the rest of the program. Nothing of the request travels in the error: an
 * error of an HTTP library holds the headers, the token and the whole body, and one log line would publish them.
 */
export interface LinkFault {
  /** An errno, an OpenSSL or parser code, as Node reports it. */
  readonly errno: string | undefined;
  /** Foreign text for a person, already short and one line; used only where the code says too little. */
  readonly detail: string;
}

export function linkError(attempted: string, fault: LinkFault): AgentError {
  const { errno, detail } = fault;
  const { code, disposition, text } = meaningOf(errno, detail);
  return new AgentError(code, `${attempted}: ${text}${errno === undefined ? "" : ` (${errno})`}`, {
    disposition,
    ...(errno === undefined ? {} : { facts: { errno } }),
  });
}

function meaningOf(errno: string | undefined, detail: string): Meaning {
  const known = networkMeaning(errno ?? "", detail);
  if (known !== undefined) return known;
  if (/^(HPE_|Z_|ERR__ERROR_FORMAT)/.test(errno ?? "")) {
    return { code: "HTTP_NOT_THE_PLATFORM", disposition: "retry", text: "what came back is damaged or not HTTP" };
  }
  return { code: "NET_RESET", disposition: "retry", text: `the exchange failed: ${detail}` };
}

/** A URL as it may be printed: no user, no password, no query. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return "an address that is not a URL";
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
