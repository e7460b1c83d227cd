/**
 * The only home of the yaml package: text in, plain values and positions out. A document with a mistake of syntax is not
 * turned into values, because whatever came out of it would only produce more, false problems; a repeated key is none.
 */
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, stringify, visit } from "yaml";
import type { Alias, Document, ErrorCode, Pair, YAMLMap } from "yaml";

export type ConfigPath = readonly (string | number)[];

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface SyntaxProblem extends Position {
  readonly path: ConfigPath;
  readonly message: string;
}

/** Deeper than any config; also ends the walk through a document whose alias refers to what surrounds it. */
const depthMax = 32;
/** Enough for every camera to share a few anchors; a bomb needs thousands. */
const aliasesMax = 200;
const repeatedKeysMax = 50;
/** What aliases may multiply a file of 1 MB to. */
const valuesMax = 100_000;

/** Lists opened on one line. The parser bounds brackets but not these, and half a megabyte of them ends the process. */
const manyIndicators = /(?:[-?][ \t]+){33}/;

const keyPattern = /^[a-z_][a-z0-9_-]{0,63}$/i;

/** The parser's own texts quote the source, which may hold a secret. */
const syntaxMessages: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: "an alias cannot have an anchor or a tag",
  BAD_ALIAS: "not a valid alias",
  BAD_COLLECTION_TYPE: "the tag does not fit the value",
  BAD_DIRECTIVE: "not a supported directive",
  BAD_DQ_ESCAPE: "not a valid escape sequence in a double-quoted text",
  BAD_INDENT: "bad indentation",
  BAD_PROP_ORDER: "an anchor or tag at a place where none can be",
  BAD_SCALAR_START: "a text that starts with this character needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a second `key:` on one line; put it on its own line, or quote the text",
  BLOCK_IN_FLOW: "a block cannot stand inside [ ] or { }",
  DUPLICATE_KEY: "duplicate key",
  IMPOSSIBLE: "not valid YAML",
  KEY_OVER_1024_CHARS: "the key is longer than 1024 characters",
  MISSING_CHAR: "a `:` after a key, a quote, a bracket or a comma is missing, or the indentation is wrong",
  MULTILINE_IMPLICIT_KEY: "a key must stand on one line",
  MULTIPLE_ANCHORS: "more than one anchor",
  MULTIPLE_DOCS: "a second document (`---`); one file holds one",
  MULTIPLE_TAGS: "more than one tag",
  NON_STRING_KEY: "a key must be text",
  RESOURCE_EXHAUSTION: "too large or too deep",
  TAB_AS_INDENT: "a tab in the indentation; YAML takes spaces only",
  TAG_RESOLVE_FAILED: "tags (`!name`) are not supported",
  UNEXPECTED_TOKEN: "not expected here",
};

export class YamlSource {
  /** Undefined when `problems` holds anything but repeated keys. */
  readonly value: unknown;
  readonly problems: readonly SyntaxProblem[];
  readonly #document: Document | undefined;
  readonly #lines = new LineCounter();

  /** With `keepNull` a key with nothing behind it is null, as in a merge patch, and not left out. */
  constructor(text: string, { keepNull = false }: { readonly keepNull?: boolean } = {}) {
    const problems: SyntaxProblem[] = [];
    this.problems = problems;
    if (manyIndicators.test(text)) {
      problems.push({ line: 1, column: 1, path: [], message: "nested too deeply" });
      return;
    }
    try {
      this.#document = parseDocument(text, {
        lineCounter: this.#lines,
        logLevel: "error",
        merge: true,
        prettyErrors: false,
        resolveKnownTags: false,
        stringKeys: true,
        uniqueKeys: false,
      });
    } catch {
      // Thousands of nested brackets end the parser's stack; the text of that error says nothing to an operator.
      problems.push({ line: 1, column: 1, path: [], message: "nested too deeply, or not YAML at all" });
      return;
    }
    // What the parser finds behind a mistake of syntax is mostly that mistake again.
    const mistakes = [...this.#document.errors, ...this.#document.warnings].toSorted((a, b) => a.pos[0] - b.pos[0]);
    problems.push(...this.#repeatedKeys(this.#document));
    if (mistakes[0] !== undefined) {
      problems.push(this.#problemAt(mistakes[0].pos[0], syntaxMessages[mistakes[0].code]));
      return;
    }
    const aliasProblems = this.#aliasProblems(this.#document);
    problems.push(...aliasProblems);
    if (aliasProblems.length > 0) return;
    try {
      const value: unknown = this.#document.toJS({ maxAliasCount: -1 });
      const excess = excessOf(value);
      if (excess === undefined) this.value = keepNull ? value : withoutEmpty(value);
      else problems.push({ line: 1, column: 1, path: [], message: excess });
    } catch {
      // All that is left to fail is a merge of something that cannot be merged.
      problems.push(
        this.#problemAt(mergeOffset(this.#document), "`<<` takes an alias of a mapping, or a list of them"),
      );
    }
  }

  /** Where `path` stands, or the nearest thing that contains it. `key` is the place of its name. */
  positionOf(path: ConfigPath, at: "key" | "value"): Position {
    let node: unknown = this.#document?.contents;
    let offset = offsetOf(node) ?? 0;
    for (const [depth, step] of path.entries()) {
      const found = this.#childOf(node, step);
      if (found === undefined) break;
      node = found.value;
      const keyOffset = offsetOf(found.key);
      const valueOffset = isEmpty(node) ? undefined : offsetOf(node);
      const wantsKey = at === "key" || depth < path.length - 1;
      offset = (wantsKey ? (keyOffset ?? valueOffset) : (valueOffset ?? keyOffset)) ?? offset;
    }
    return this.#positionAt(offset);
  }

  #positionAt(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #childOf(node: unknown, step: string | number): { readonly key?: unknown; readonly value: unknown } | undefined {
    const resolved = this.#resolved(node);
    if (isSeq(resolved)) {
      const item = typeof step === "number" ? resolved.items[step] : undefined;
      return item === undefined ? undefined : { value: item };
    }
    return isMap(resolved) ? this.#pairOf(resolved, String(step), 0) : undefined;
  }

  #pairOf(map: YAMLMap, name: string, depth: number): Pair | undefined {
    const pair = map.items.findLast((item) => nameOf(item) === name);
    if (pair !== undefined || depth > depthMax) return pair;
    const merged = this.#resolved(map.items.find((item) => nameOf(item) === "<<")?.value);
    for (const source of isSeq(merged) ? merged.items : [merged]) {
      const from = this.#resolved(source);
      const inherited = isMap(from) ? this.#pairOf(from, name, depth + 1) : undefined;
      if (inherited !== undefined) return inherited;
    }
    return undefined;
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) && this.#document !== undefined ? node.resolve(this.#document) : node;
  }

  /** The keys around an offset: the parser names only the place of a syntax error. */
  #pathAt(offset: number): ConfigPath {
    const path: (string | number)[] = [];
    let node: unknown = this.#document?.contents;
    while (path.length < depthMax) {
      const items: readonly unknown[] = isMap(node) || isSeq(node) ? node.items : [];
      const index = items.findLastIndex((item) => (offsetOf(isPair(item) ? item.key : item) ?? Infinity) <= offset);
      const item = items[index];
      if (item === undefined) break;
      // A value that lost its `key:` is taken for a key itself, and may be a secret.
      if (isPair(item) && (offsetOf(item.key) === offset || !keyPattern.test(nameOf(item)))) break;
      path.push(isPair(item) ? nameOf(item) : index);
      node = isPair(item) ? item.value : item;
      if ((offsetOf(node) ?? Infinity) > offset) break;
    }
    return path;
  }

  /** Checked before any value is made: each alias costs the parser a walk through the document. */
  #aliasProblems(document: Document): readonly SyntaxProblem[] {
    const aliases: Alias[] = [];
    visit(document, { Alias: (_key, alias) => (aliases.push(alias) > aliasesMax ? visit.BREAK : undefined) });
    if (aliases.length > aliasesMax) {
      return [{ line: 1, column: 1, path: [], message: `more than ${aliasesMax} aliases` }];
    }
    return aliases
      .filter((alias) => alias.resolve(document) === undefined)
      .map((alias) => this.#problemAt(offsetOf(alias) ?? 0, "an alias without its anchor before it"));
  }

  /** The parser compares each key with all others, which takes minutes for a file of nothing but keys. */
  #repeatedKeys(document: Document): readonly SyntaxProblem[] {
    const problems: SyntaxProblem[] = [];
    visit(document, {
      Map: (_key, map) => {
        const offsets = new Map<string, number>();
        for (const { key } of map.items) {
          const name = isScalar(key) ? String(key.value) : undefined;
          const offset = offsetOf(key);
          if (name === undefined || offset === undefined) continue;
          const first = offsets.get(name);
          if (first === undefined) offsets.set(name, offset);
          else problems.push(this.#repeatedKey(name, offset, first));
          if (problems.length >= repeatedKeysMax) return visit.BREAK;
        }
        return undefined;
      },
    });
    return problems;
  }

  #repeatedKey(name: string, offset: number, firstOffset: number): SyntaxProblem {
    const problem = this.#problemAt(offset, `duplicate key, first on line ${this.#positionAt(firstOffset).line}`);
    return { ...problem, path: [...problem.path, name] };
  }

  #problemAt(offset: number, message: string): SyntaxProblem {
    return { ...this.#positionAt(offset), path: this.#pathAt(offset), message };
  }
}

function nameOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

/** Where the document first merges a mapping. */
function mergeOffset(document: Document): number {
  let offset = 0;
  visit(document, {
    Pair: (_key, pair) => {
      if (nameOf(pair) !== "<<") return undefined;
      offset = offsetOf(pair.key) ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/** `key:` with nothing behind it: its null lies at no place that a person could point at. */
function isEmpty(node: unknown): boolean {
  return isNode(node) && node.range?.[0] === node.range?.[1];
}

/** What is too much about a parsed value: an alias inside its own anchor is endless, a chain of them explodes. */
function excessOf(root: unknown): string | undefined {
  let values = 0;
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value: root, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    values += 1;
    if (next.depth > depthMax) return "nested too deeply, or an alias inside what it refers to";
    if (values > valuesMax) return "too many values";
    if (typeof next.value !== "object" || next.value === null) continue;
    for (const value of Object.values(next.value) as unknown[]) waiting.push({ value, depth: next.depth + 1 });
  }
  return undefined;
}

/**
 * `key:` with nothing behind it is not set: that is what a section becomes whose every line was turned into a comment,
 * and what null means in a merge patch.
 */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const set = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(set.map(([key, item]) => [key, withoutEmpty(item)]));
}

/** Plain values as YAML text, in the order of their keys. */
export function writeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 120, aliasDuplicateObjects: false });
}
