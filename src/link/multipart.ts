import { randomBytes } from "node:crypto";

/**
 * `multipart/form-data` as one Buffer with its image copied once: what `FormData` builds costs a copy more and is known
 * to the sender as a stream, whose length and order axios would have to find out again.
 */

export type FormPart =
  | { readonly name: string; readonly value: string | Buffer }
  | {
      readonly name: string;
      /** Only `[A-Za-z0-9._-]` is written alike by all senders; a quote or a line end is percent-encoded, as browsers do. */
      readonly fileName: string;
      /** Left out when absent. */
      readonly contentType?: string;
      readonly value: string | Buffer;
    };

export interface MultipartBody {
  readonly contentType: string;
  readonly body: Buffer;
}

/** Parts keep their order. `allocate` may hand out a Buffer that is used again. */
export function multipartBody(
  parts: readonly FormPart[],
  allocate: (sizeBytes: number) => Buffer = (sizeBytes) => Buffer.allocUnsafe(sizeBytes),
): MultipartBody {
  const boundary = `framepost-${randomBytes(18).toString("hex")}`;
  const end = `--${boundary}--\r\n`;
  const pieces = parts.map((part) => {
    const bytes = typeof part.value === "string" ? Buffer.byteLength(part.value) : part.value.length;
    return { head: headOf(part, boundary), value: part.value, bytes };
  });
  const sizeBytes = pieces.reduce((sum, { head, bytes }) => sum + Buffer.byteLength(head) + bytes + 2, end.length);
  const body = allocate(sizeBytes);
  let at = 0;
  for (const { head, value } of pieces) {
    at += body.write(head, at);
    at += typeof value === "string" ? body.write(value, at) : value.copy(body, at);
    at += body.write("\r\n", at);
  }
  body.write(end, at);
  return { contentType: `multipart/form-data; boundary=${boundary}`, body };
}

function headOf(part: FormPart, boundary: string): string {
  const file = "fileName" in part ? `; filename="${escaped(part.fileName)}"` : "";
  const type = "contentType" in part ? `Content-Type: ${part.contentType}\r\n` : "";
  return `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(part.name)}"${file}\r\n${type}\r\n`;
}

function escaped(text: string): string {
  return text.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll('"', "%22");
}
