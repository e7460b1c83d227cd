import { digest } from "./digest.ts";
import type { Json, RecordedBody, RecordedPart, RecordedRequest } from "./fixture.ts";
import { multipartParts } from "./multipart-parts.ts";

/** A request as it arrived. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The headers that say something about the contract; the rest belongs to the HTTP library. */
const HEADERS_KEPT = [
  "accept",
  "authorization",
  "content-range",
  "content-type",
  "grpid",
  "prediction-key",
  "token",
  "training-key",
];

/**
 * One request in the form of the fixtures: what is random in each run is a placeholder, an image is its size and digest,
 * and JSON inside a string is `{"jsonText": …}`, so that two requests are equal exactly when they say the same.
 */
export function normaliseRequest(seen: SeenRequest, serverUrl: string): RecordedRequest {
  const at = seen.url.indexOf("?");
  const path = at < 0 ? seen.url : seen.url.slice(0, at);
  const query = at < 0 ? [] : [...new URLSearchParams(seen.url.slice(at + 1))];
  return {
    method: seen.method,
    path: placeholders(path, serverUrl),
    query: query.map(([name, value]) => [name, placeholders(value, serverUrl)] as const),
    headers: keptHeaders(seen.headers),
    body: normaliseBody(seen, serverUrl),
  };
}

function keptHeaders(headers: SeenRequest["headers"]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of HEADERS_KEPT) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value.replace(/boundary=("?)[^";]+\1/i, "boundary=<boundary>");
  }
  return kept;
}

function normaliseBody(seen: SeenRequest, serverUrl: string): RecordedBody {
  if (seen.body.byteLength === 0) return { kind: "none" };
  const contentType = seen.headers["content-type"] ?? "";
  if (/^multipart\//i.test(contentType)) {
    return { kind: "multipart", parts: multipartParts(seen.body, contentType).map((part) => normalisePart(part)) };
  }
  if (/^image\/|^application\/octet-stream/i.test(contentType)) return { kind: "bytes", ...digest(seen.body) };
  const text = seen.body.toString("utf8");
  if (/x-www-form-urlencoded/i.test(contentType)) return { kind: "form", fields: [...new URLSearchParams(text)] };
  const value = parsed(text);
  if (value !== undefined) return { kind: "json", value: normaliseJson(value, serverUrl) };
  if (!Buffer.from(text, "utf8").equals(seen.body)) return { kind: "bytes", ...digest(seen.body) };
  return { kind: "text", value: placeholders(text, serverUrl) };
}

function normalisePart(part: RecordedPart): RecordedPart {
  // Python's name for a temporary file.
  const named =
    part.filename === undefined ? {} : { filename: part.filename.replace(/^tmp[a-z0-9_]{8}\./, "<random>.") };
  const { text, ...rest } = { ...part, ...named };
  if (text === undefined) return rest;
  const value = text.startsWith("{") ? parsed(text) : undefined;
  return value === undefined
    ? { ...rest, text: placeholders(text, "") }
    : { ...rest, jsonText: normaliseJson(value, "") };
}

function normaliseJson(value: Json, serverUrl: string): Json {
  if (typeof value === "string") return normaliseText(value, serverUrl);
  if (Array.isArray(value)) return value.map((each: Json) => normaliseJson(each, serverUrl));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, normaliseJson(each, serverUrl)]));
}

function normaliseText(text: string, serverUrl: string): Json {
  const image = base64Image(text);
  if (image !== undefined) return { base64: { ...digest(image) } };
  if (/^[[{]/.test(text)) {
    const value = parsed(text);
    if (value !== undefined) return { jsonText: normaliseJson(value, serverUrl) };
  }
  return placeholders(text, serverUrl);
}

/** The ids of our own inputs are of the form …-0000-4000-8000-…, and stay. */
function placeholders(text: string, serverUrl: string): string {
  return (serverUrl === "" ? text : text.replaceAll(serverUrl, "<server>"))
    .replace(/[0-9a-f]{8}-(?!0000-4000-8000)[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, "<uuid>")
    .replace(/^\d{10}\.\d+$/, "<epoch-seconds>")
    .replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$/, "<timestamp>");
}

/** The bytes of strict base64 that holds a JPEG or a PNG. */
function base64Image(text: string): Buffer | undefined {
  if (text.length < 16 || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  const start = bytes.toString("latin1", 0, 4);
  return start.startsWith("\xff\xd8") || start === "\x89PNG" ? bytes : undefined;
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
