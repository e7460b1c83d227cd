/** How a person writes a key of 256 bits: 64 hexadecimal digits (`openssl rand -hex 32`), or its 32 bytes in base64. */

export const keyBytes = 32;

/** Said instead of the text itself, which may be a key with a slip in it. */
export const keyForm = "expected a key of 32 bytes as 64 hexadecimal digits (openssl rand -hex 32) or in base64";

/** The key's bytes; undefined for a text of another form. */
export function keyOfText(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  const bytes = Buffer.from(text, "base64");
  // Node skips what is no base64, and takes last digits that no encoder writes: both are slips.
  return bytes.length === keyBytes && bytes.toString("base64") === text ? bytes : undefined;
}
