import type { IncomingMessage } from "node:http";
import { webLimits } from "../core/web-limits.ts";
import { refusal, type Refusal } from "./refusal.ts";

/** Names of ours and ids need no more, so that nothing in a path is ever decoded: no `..`, no `%2e`, no backslash. */
const plainPath = /^\/[A-Za-z0-9._~/-]*$/;
const printable = /^[\x21-\x7e]*$/;

export const loginPath = "/login";

/** What is wrong with a request before anybody asks who sent it. */
export function shapeProblem(request: IncomingMessage): Refusal | undefined {
  const { method = "", url = "", headers } = request;
  if (method !== "GET" && method !== "HEAD" && method !== "POST") {
    return refusal(405, "WEB_METHOD", { allow: "GET, HEAD, POST" });
  }
  if (url.length > webLimits.targetCharsMax) return refusal(414, "WEB_TARGET");
  const path = pathOf(url);
  if (!plainPath.test(path) || !printable.test(url) || hasOddSegment(path)) return refusal(400, "WEB_TARGET");
  if (headers.upgrade !== undefined) return refusal(400, "WEB_UPGRADE");
  if (timesOf(request, "host") !== 1 || timesOf(request, "content-length") > 1) return refusal(400, "WEB_HEADERS");
  return method === "POST" ? bodyProblem(request) : unwantedBody(request);
}

export function pathOf(url: string): string {
  return url.split("?", 1)[0] ?? "";
}

/** `//`, which a browser would take for another host, `.` and `..`. */
function hasOddSegment(path: string): boolean {
  const segments = path.split("/").slice(1);
  return segments.some(
    (segment, index) => /^\.{1,2}$/.test(segment) || (segment === "" && index < segments.length - 1),
  );
}

/** A form of another site can send text and forms, but no JSON without asking first, and nobody here says yes. */
function bodyProblem({ headers, url = "" }: IncomingMessage): Refusal | undefined {
  const type = (headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  const wanted = pathOf(url) === loginPath ? "application/x-www-form-urlencoded" : "application/json";
  if (type !== wanted) return refusal(415, "WEB_CONTENT_TYPE");
  if (headers["content-encoding"] !== undefined) return refusal(415, "WEB_CONTENT_ENCODING");
  const length = Number(headers["content-length"] ?? 0);
  return length > webLimits.bodyBytesMax ? refusal(413, "WEB_TOO_LARGE") : undefined;
}

function unwantedBody({ headers }: IncomingMessage): Refusal | undefined {
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
  return hasBody ? refusal(400, "WEB_BODY") : undefined;
}

/** Node keeps the first of two, and another server on the way may keep the last. */
function timesOf({ rawHeaders }: IncomingMessage, name: string): number {
  return rawHeaders.filter((header, index) => index % 2 === 0 && header.toLowerCase() === name).length;
}
