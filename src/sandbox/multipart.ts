import { violated } from "./checks.ts";

/** One part of a `multipart/form-data` body. */
export interface SandboxPart {
  readonly name: string;
  /** Present on file parts. */
  readonly fileName?: string;
  readonly contentType?: string;
  readonly body: Buffer;
}

const partsMax = 1_000;

/** The parts in the order they were sent, or a violation: nothing is forgiven. */
export function multipartBody(contentType: string, body: Buffer): readonly SandboxPart[] {
  const boundary = /^multipart\/form-data\s*;\s*boundary="?([^";\s]{1,70})"?$/i.exec(contentType)?.[1];
  if (boundary === undefined) return violated(`the content type is "${contentType}", not multipart/form-data`);
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  // The first one has no line before it.
  if (!body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2))) violated("the body has no first boundary");
  const parts: SandboxPart[] = [];
  let at = delimiter.length - 2;
  for (;;) {
    const ending = body.toString("latin1", at, at + 2);
    if (ending === "--") return parts;
    if (ending !== "\r\n") violated("a boundary is not followed by a line end");
    const next = body.indexOf(delimiter, at);
    if (next === -1) violated("the body has no last boundary");
    parts.push(partOf(body.subarray(at + 2, next)));
    if (parts.length > partsMax) violated(`the body has more than ${partsMax} parts`);
    at = next + delimiter.length;
  }
}

function partOf(bytes: Buffer): SandboxPart {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return violated("a part has no end of its headers");
  const headers = new Map(
    bytes
      .toString("utf8", 0, end)
      .split("\r\n")
      .map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
  );
  const disposition = headers.get("content-disposition") ?? violated("a part has no Content-Disposition");
  const name = /^form-data;.*?\sname="([^"]*)"/i.exec(disposition)?.[1] ?? violated("a part has no name");
  const fileName = /;\s*filename="([^"]*)"/i.exec(disposition)?.[1];
  const contentType = headers.get("content-type");
  return {
    name,
    ...(fileName === undefined ? {} : { fileName }),
    ...(contentType === undefined ? {} : { contentType }),
    body: bytes.subarray(end + 4),
  };
}
