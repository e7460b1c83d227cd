import { cpus, totalmem } from "node:os";
import type { BenchTable } from "./table.ts";

/** One section of a page; `command` repeats the figures. */
export function markdownOf(
  { title, columns, rows, verdicts, notes = [], leftOut = [] }: BenchTable,
  command: string,
): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [
    `## ${title}`,
    "",
    ...(columns.length === 0 ? [] : [columns, columns.map(() => "---"), ...rows].map(line)),
    ...(columns.length === 0 ? [] : [""]),
    ...notes.flatMap((note) => [note, ""]),
    ...verdicts.map(
      (verdict) =>
        `- ${verdict.name}: **${verdict.value}**, bound ${verdict.bound}: ${verdict.holds ? "holds" : "MISSED"}`,
    ),
    ...leftOut.map((what) => `- left out: ${what}`),
    "",
    `\`${command}\``,
    "",
  ].join("\n");
}

/** Which machine the figures are from. */
export function machineFacts(): string {
  const [cpu] = cpus();
  const memoryGib = Math.round(totalmem() / 1024 ** 3);
  return `Machine: ${cpus().length} cores, ${cpu?.model.trim() ?? "unknown"}, ${memoryGib} GiB, ${process.platform} ${process.arch}, Node
${process.versions.node}; shared with other work. No figure here was taken on a Raspberry Pi.
`;
}
