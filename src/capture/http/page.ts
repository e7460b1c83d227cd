import type { IncomingMessage } from "node:http";
import { captureLimits } from "../../core/capture-limits.ts";
import type { HttpTrouble } from "./trouble.ts";

/**
 * What a camera sent instead of pictures, for a person: its content type, and the title where it is a page, which often
 * is the one for logging in. Nothing else of it is shown.
 */
export function answeredWith(answer: IncomingMessage, body: Buffer, trouble: HttpTrouble): string {
  const contentType = answer.headers["content-type"] ?? "";
  const opening = body.toString("utf8", 0, captureLimits.httpPageBytesMax);
  const title = isPage(contentType, opening) ? trouble.quote(titleOf(opening)) : "";
  const shownType = contentType === "" ? "no content type" : trouble.quote(contentType);
  return title === "" ? `it answered with ${shownType}` : `it answered with the page "${title}" (${shownType})`;
}

function isPage(contentType: string, opening: string): boolean {
  return /^(?:text\/html|application\/xhtml)/i.test(contentType) || /^\ufeff?\s*<(?:!doctype|html)\b/i.test(opening);
}

function titleOf(opening: string): string {
  return /<title[^>]{0,200}>([^<]{0,1000})/i.exec(opening)?.[1] ?? "";
}
