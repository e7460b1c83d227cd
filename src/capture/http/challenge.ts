/** One scheme of a `WWW-Authenticate` header with its parameters, names in lower case. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A token, or a quoted text with its escapes; then, for a name, the equals sign. */
const piece = /[\s,]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)(\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?|[^\s,])/sy;

/**
 * The challenges of a `WWW-Authenticate` header, or of several joined by commas (RFC 9110, section 11.6.1). The commas
 * between parameters and those between challenges look the same: a word without a value begins a challenge.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const [, word, value, quoted, plain] of piecesOf(header)) {
    // A piece that is no word is a camera's mistake, and nothing that an answer would need.
    if (word === undefined) continue;
    if (value === undefined) challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(word.toLowerCase(), quoted?.replaceAll(/\\(.)/gs, "$1") ?? plain ?? "");
  }
  return challenges;
}

function* piecesOf(text: string): Generator<RegExpExecArray> {
  const pattern = new RegExp(piece);
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) yield match;
}
