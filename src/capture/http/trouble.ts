import type { IncomingMessage } from "node:http";
import { AgentError, errnoOf, messageOf } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { linkError, shownUrl } from "../../link/http-errors.ts";
import { answerSnippet } from "../../link/http-status.ts";
import { basicAuthorization } from "./digest.ts";
import type { HttpCameraOptions } from "./options.ts";

/**
 * Words the errors of one HTTP camera. They name its address without query and user, and whatever a camera has said is
 * masked: some repeat the password in their pages.
 */
export class HttpTrouble {
  readonly #subject: string;
  readonly #secrets: readonly string[];

  constructor(kind: string, { url, username = "", password, headers }: HttpCameraOptions) {
    this.#subject = `${kind} ${shownUrl(url)}`;
    const login = password === undefined ? [] : [basicAuthorization({ username, password }).slice(6), password];
    this.#secrets = [...login, ...Object.values(headers ?? {}), ...querySecrets(url)];
  }

  error(code: string, what: string, afterMs?: number): AgentError {
    return new AgentError(code, `${this.#subject}: ${what}`, {
      disposition: "retry",
      ...(afterMs === undefined ? {} : { afterMs }),
    });
  }

  /** A failure of the network, of TLS or of the HTTP parser. */
  network(error: unknown): AgentError {
    if (error instanceof AgentError) {
      return error.code.startsWith("CAMERA_") ? error : this.error(cameraCode(error.code), error.message);
    }
    const fault = linkError(this.#subject, { errno: errnoOf(error), detail: this.quote(messageOf(error, 200)) });
    return new AgentError(cameraCode(fault.code), fault.message, { disposition: "retry", facts: fault.facts });
  }

  /** An answer that is neither 200, 401 nor a redirect. */
  status(answer: IncomingMessage): AgentError {
    const status = answer.statusCode ?? 0;
    const [code, meaning] = statusMeaning(status);
    return this.error(code, `HTTP ${status}${meaning}`);
  }

  /** Foreign text as it may be shown: one short line without secrets. */
  quote(text: string, charsMax: number = captureLimits.httpTitleCharsMax): string {
    const line = answerSnippet({ status: 0, headers: {}, body: Buffer.from(text, "utf8") }, this.#secrets);
    return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line;
  }
}

function cameraCode(code: string): string {
  if (code === "NET_RESET") return "CAMERA_LOST";
  if (code.startsWith("NET_")) return "CAMERA_UNREACHABLE";
  if (code.startsWith("TLS_")) return "CAMERA_TLS";
  return "CAMERA_NOT_HTTP";
}

function statusMeaning(status: number): readonly [code: string, meaning: string] {
  if (status === 403) return ["CAMERA_LOGIN_REFUSED", ", this user may not see pictures, or the password is wrong"];
  if (status === 404 || status === 410) return ["CAMERA_NOT_FOUND", ", there is nothing at this path"];
  if (status === 503) return ["CAMERA_HTTP_STATUS", ", the camera is busy; it may have too many viewers"];
  return ["CAMERA_HTTP_STATUS", ""];
}

/** The values of a query, as they are written and decoded. */
function querySecrets(url: string): readonly string[] {
  if (!URL.canParse(url)) return [];
  const { search, searchParams } = new URL(url);
  const written = search.slice(1).split(/[&;]/);
  return [search.slice(1), ...written.map((pair) => pair.slice(pair.indexOf("=") + 1)), ...searchParams.values()];
}
