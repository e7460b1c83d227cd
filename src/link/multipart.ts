import { randomBytes } from "node:crypto";

/**
 * `multipart/form-data` as the Buffers it consists of, none of them copied: what `FormData` builds is known to the sender as
 * a stream, whose length and order axios would have to find out again.
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
  /** The parts' own Buffers among them: they must stay as they are until the request is over. */
  readonly body: readonly Buffer[];
}

/** Parts keep their order. */
export function multipartBody(parts: readonly FormPart[]): MultipartBody {
  const boundary = `framepost-${randomBytes(18).toString("hex")}`;
  const body: Buffer[] = [];
  let text = "";
  for (const part of parts) {
    text += headOf(part, boundary);
    if (typeof part.value === "string") text += part.value;
    else {
      body.push(Buffer.from(text), part.value);
      text = "";
    }
    text += "\r\n";
  }
  body.push(Buffer.from(`${text}--${boundary}--\r\n`));
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
