import assert from "node:assert/strict";
import type { Operation } from "../../agent/platforms/platform.ts";

/** The table of one platform in `docs/platforms.md`: every operation and option, and how many cases passed with it. */
export function platformSection(
  kind: string,
  title: string,
  operations: readonly Operation<never>[],
  passed: ReadonlyMap<string, readonly (readonly string[])[]>,
): string {
  const rows = operations.map(({ name, summary, document, options = [], arguments: args = [] }) => {
    const runs = passed.get(name) ?? [];
    const words = args.map(
      (arg) => `${arg.optional === true ? "[" : "<"}${arg.name}${arg.optional === true ? "]" : ">"}`,
    );
    const flags = options.map(({ flags, document: as }) => `\`${flags}\`${as === undefined ? "" : ` (${as})`}`);
    return [
      `\`${[name, ...words].join(" ")}\``,
      summary,
      document === undefined ? "beyond it" : `\`${document}\``,
      flags.join(" "),
      String(runs.length),
    ];
  });
  const table = markdownTable(["operation", "does", "in the document", "options", "cases"], rows);
  return [`## ${title}`, "", `\`framepost platform ${kind} …\``, "", ...table].join("\n");
}

/** The text between the two marks of this kind, which the page must have. */
export function replaceSection(page: string, kind: string, section: string): string {
  const [begin, end] = [`<!-- ${kind} begin -->`, `<!-- ${kind} end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  assert.ok(from !== -1 && to > from, `docs/platforms.md has no place for ${kind}`);
  return `${page.slice(0, from + begin.length)}\n\n${section}\n\n${page.slice(to)}`;
}

/** As prettier would write it. */
function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0] ?? "", rule, ...lines.slice(1)];
}
