const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** For text and attributes. XML 1.0 cannot write most control characters, nor halves of surrogate pairs: they become blanks. */
export function xmlEscaped(text: string): string {
  const writable = text.replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, " ");
  return writable.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}
