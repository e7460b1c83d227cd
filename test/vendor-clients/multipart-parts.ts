import type { RecordedPart } from "./fixture.ts";
import { digest } from "./digest.ts";

/** Splits a multipart body into its parts. A part is text unless it has a file name or bytes that are no UTF-8. */
export function multipartParts(body: Buffer, contentType: string): RecordedPart[] {
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  if (boundary === undefined) throw new Error(`A multipart body without a boundary: "${contentType}".`);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const whole = Buffer.concat([Buffer.from("\r\n"), body]);
  const parts: RecordedPart[] = [];
  let start = whole.indexOf(delimiter);
  while (start >= 0) {
    const from = start + delimiter.length;
    if (whole.toString("latin1", from, from + 2) === "--") return parts;
    const next = whole.indexOf(delimiter, from);
    if (next < 0) break;
    parts.push(onePart(whole.subarray(from + 2, next)));
    start = next;
  }
  throw new Error("A multipart body without its last boundary.");
}

function onePart(part: Buffer): RecordedPart {
  const headEnd = part.indexOf("\r\n\r\n");
  const head = part.toString("utf8", 0, headEnd);
  const content = part.subarray(headEnd + 4);
  const filename = /filename="([^"]*)"/i.exec(head)?.[1];
  const contentType = /^content-type: *(.*)$/im.exec(head)?.[1]?.trim();
  const isText = isUtf8(content) && (filename === undefined || !isPicture(filename));
  return {
    name: /[; ]name="([^"]*)"/i.exec(head)?.[1] ?? "",
    ...(filename === undefined ? {} : { filename }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(isText ? { text: content.toString("utf8") } : { bytes: digest(content) }),
  };
}

function isPicture(filename: string): boolean {
  return /\.(jpe?g|png)$/i.test(filename);
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes);
}
