import { z } from "zod";
import { remoteLimits } from "../../core/remote-limits.ts";
import { command, type Command, type CommandSpec } from "../command.ts";

/** What somebody who helps from afar has to see. */

const args = z.strictObject({
  bytesMax: z
    .int()
    .min(remoteLimits.bundleBytesMin)
    .max(remoteLimits.bundleBytesMax)
    .default(remoteLimits.bundleBytesDefault)
    .describe("Of the bundle, never more than the broker takes; the oldest lines of the log are left out first"),
});

export const supportBundleSpec = {
  name: "support.bundle",
  summary:
    "Collects what helps to find a fault: info, status, the config without its secrets, the last lines of the log.",
  scope: "read",
  args,
  effect: false,
  example: { bytesMax: 65_536 },
  answer: "info, status, queue, models, config and log (the last lines, oldest first), and leftOut: what did not fit",
} as const satisfies CommandSpec<typeof args>;

export const supportSpecs: readonly CommandSpec[] = [supportBundleSpec];

export interface SupportPort {
  /** Named parts in the order of their worth; the log is not among them. Without secrets. */
  parts(): Promise<Readonly<Record<string, unknown>>>;
  /** Lines of JSON as they were logged, oldest first. */
  logLines(): readonly string[];
  /** Takes out what may never be seen, if it should have come in all the same. */
  redacted(text: string): string;
  /** Of a packet at this broker. */
  packetBytesMax(): number;
}

export function supportCommands(port: SupportPort): readonly Command[] {
  return [
    command(supportBundleSpec, async ({ bytesMax }) => {
      const parts = await port.parts();
      const limit = Math.min(bytesMax, port.packetBytesMax() - remoteLimits.packetOverheadBytes);
      const redacted = (value: unknown): unknown => mapTexts(value, (text) => port.redacted(text));
      return fitting(redacted(parts) as typeof parts, port.logLines().map(parsed).map(redacted), limit);
    }),
  ];
}

/** As many of the parts, and then of the newest lines, as fit: the first ones are worth most. */
export function fitting(
  parts: Readonly<Record<string, unknown>>,
  lines: readonly unknown[],
  bytesMax: number,
): Readonly<Record<string, unknown>> {
  const bundle: Record<string, unknown> = {};
  const missing: string[] = [];
  let leftBytes = bytesMax - leftOutBytes;
  for (const [name, value] of Object.entries(parts)) {
    const bytes = sizeOf(name) + sizeOf(value) + 2;
    if (bytes > leftBytes) {
      missing.push(name);
      continue;
    }
    bundle[name] = value;
    leftBytes -= bytes;
  }
  const log: unknown[] = [];
  for (const line of lines.toReversed()) {
    leftBytes -= sizeOf(line) + 1;
    if (leftBytes < 0) break;
    log.unshift(line);
  }
  return { ...bundle, log, leftOut: { parts: missing, logLines: lines.length - log.length } };
}

/** Of `log` and `leftOut` without any line. */
const leftOutBytes = 256;

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value ?? null));
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)]));
}
