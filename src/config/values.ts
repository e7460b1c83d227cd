import { z } from "zod";

/** Kinds of value that several parts of the config use. Each is typed text in the file and one typed value after it. */

const durationUnitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const byteUnits: Readonly<Record<string, number>> = { B: 1, KB: 1_024, MB: 1_024 ** 2, GB: 1_024 ** 3, TB: 1_024 ** 4 };

const durationForm = "expected a duration such as 500ms, 5s, 2m, 1h or 30d";
const sizeForm = "expected a size such as 500KB, 64MB or 2GB";

/**
 * `500ms`, `5s`, `2m`, `1h`, `30d` → milliseconds. A codec, not a one-way transform: the effective config is shown in
 * the operator's own form again.
 */
export const duration = z
  .codec(z.string(durationForm).regex(/^\d{1,9}(\.\d{1,6})?(ms|s|m|h|d)$/, durationForm), z.number(), {
    decode: (text) => scaled(text, durationUnitsMs),
    encode: (ms) => inLargestUnit(ms, durationUnitsMs),
  })
  .describe("A duration: a number and ms, s, m, h or d");

/** `64KB`, `2GB` → bytes, in powers of 1024. */
export const byteSize = z
  .codec(z.string(sizeForm).regex(/^\d{1,9}(\.\d{1,6})?(B|KB|MB|GB|TB)$/, sizeForm), z.number(), {
    decode: (text) => Math.floor(scaled(text, byteUnits)),
    encode: (bytes) => inLargestUnit(bytes, byteUnits),
  })
  .describe("A size: a number and B, KB, MB, GB or TB (powers of 1024)");

/** For a bound that is meant to keep something. */
export const lifetime = duration.refine((ms) => ms > 0, "keeps nothing at 0");
export const capacity = byteSize.refine((bytes) => bytes > 0, "keeps nothing at 0");

function scaled(text: string, units: Readonly<Record<string, number>>): number {
  const unit = text.replace(/^[\d.]+/, "");
  return Number.parseFloat(text) * (units[unit] ?? 1);
}

/** The largest unit that divides the amount without a rest, so that nothing is rounded. */
function inLargestUnit(amount: number, units: Readonly<Record<string, number>>): string {
  const fitting = Object.entries(units).filter(([, size]) => amount >= size && amount % size === 0);
  const [unit, size] = fitting.at(-1) ?? Object.entries(units)[0] ?? ["", 1];
  return `${amount / size}${unit}`;
}

/** Marked so that `config show` and the logger's redaction know it. Best written as `${credential:name}`. */
export const secret = z
  .string()
  .min(1)
  .meta({ secret: true, description: "A secret: write ${credential:name}, ${file:/path} or ${env:NAME}" });

/** Cameras and targets are named in topics, file names and logs. */
export const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, "expected 1 to 32 of a-z, 0-9, - and _, starting with a letter or digit");

export const fraction = z.number().min(0).max(1);

/** Verification cannot be turned off by accident: the key says what it does. */
export const tls = z.strictObject({
  ca: z.string().optional().describe("PEM file with the certificate authority to trust instead of the system's"),
  cert: z.string().optional().describe("PEM file with the client certificate"),
  key: z.string().optional().describe("PEM file with the client certificate's key"),
  servername: z.string().optional().describe("Name to expect in the server's certificate"),
  insecureSkipVerify: z.boolean().default(false).describe("Accept any certificate. Never on a network you do not own"),
});
