import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Looks for planted secrets in whatever a program leaves behind. Each secret has a core of letters and digits, which
 * URL- and JSON-escaping leave alone; so a core is searched for as it is, in base64 at each of its three alignments, in
 * hex, and with every byte percent-encoded.
 */

export interface Planted {
  readonly name: string;
  /** What is planted: the core between characters that every encoding changes. */
  readonly text: string;
  readonly core: string;
}

/** `visible`: for headers and the like, which take no blank. */
export function planted(name: string): Planted {
  const core = `Cnry${name.replaceAll(/[^A-Za-z]/g, "")}${Math.random().toString(36).slice(2, 10)}X7`;
  return { name, core, text: `"%/${core}+&='` };
}

/** `secret in place (as form)` for everything that was found. */
export function findings(places: ReadonlyMap<string, Buffer>, secrets: readonly Planted[]): readonly string[] {
  const found: string[] = [];
  for (const { name, core } of secrets) {
    const forms = formsOf(core);
    for (const [place, bytes] of places) {
      for (const [form, text] of forms) if (bytes.includes(text)) found.push(`${name} in ${place} (${form})`);
    }
  }
  return found;
}

export function formsOf(core: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(core);
  const hex = bytes.toString("hex");
  const forms = new Map([
    ["plain", core],
    ["hex", hex],
    ["HEX", hex.toUpperCase()],
    ["percent", hex.replaceAll(/../g, "%$&")],
    ["PERCENT", hex.toUpperCase().replaceAll(/../g, "%$&")],
  ]);
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // Characters that also carry bits of a neighbour differ; what lies between them is fixed.
    const inner = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    forms.set(`base64 at ${before}`, inner);
    forms.set(`base64url at ${before}`, inner.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}

/** Every file below a folder, by path. */
export async function filesBelow(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // A file may go while one looks.
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes !== undefined) files.set(path, bytes);
  }
  return files;
}
