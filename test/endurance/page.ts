import { readFile, writeFile } from "node:fs/promises";
import { machineFacts } from "../bench/markdown.ts";

const page = "docs/reliability.md";
const begin = "<!-- endurance: begin -->\n<!-- prettier-ignore-start -->";
const end = "<!-- prettier-ignore-end -->\n<!-- endurance: end -->";
const empty = `# Reliability\n\n${begin}\n${end}\n`;

/** Puts sections between the marks of the page; the last result of a suite that did not run stays. */
export async function writeSections(sections: ReadonlyMap<string, string>, names: readonly string[]): Promise<void> {
  const text = await readFile(page, "utf8").catch(() => empty);
  const [before, rest = ""] = text.split(begin);
  const [kept = "", after] = rest.split(end);
  if (before === undefined || after === undefined) throw new Error(`${page} lacks ${begin} or ${end}`);
  const all = new Map([...sectionsIn(kept), ...sections]);
  const written = names.flatMap((name) => {
    const section = all.get(name);
    return section === undefined ? [] : [`${markOf(name)}\n\n${section.trim().replace(/^## /, "### ")}\n`];
  });
  await writeFile(page, `${before}${[begin, head(), ...written, end].join("\n")}${after}`);
}

function sectionsIn(text: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/^<!-- suite: (\S+) -->\n([^]*?)(?=^<!-- suite: |(?![^]))/gm);
  return new Map([...found].map(([, name = "", section = ""]) => [name, section]));
}

function markOf(name: string): string {
  return `<!-- suite: ${name} -->`;
}

function head(): string {
  return `
## Long tests

What follows is the last result of the long tests: \`npm run test:endurance -- --write\` runs them all and writes it.

${machineFacts()}`;
}
