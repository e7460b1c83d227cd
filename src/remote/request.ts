import { z } from "zod";
import { messageOf } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";
import { canonicalJson } from "./canonical-json.ts";
import { isObject, refused, type Answer } from "./reply.ts";

/** The envelope around a command's arguments; what it means stands in docs/commands.md. */
export const requestSchema = z.strictObject({
  v: z.literal(1).default(1),
  id: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,64}$/, "1 to 64 of A-Z, a-z, 0-9, . _ : and -")
    .optional()
    .describe("Chosen by the caller, for example a UUID. The same id gets the same answer, and no second effect"),
  args: z.record(z.string(), z.unknown()).default({}).describe("The command's arguments"),
  dry: z.boolean().default(false).describe("Check, and say what would happen; change nothing"),
  ttlMs: z
    .int()
    .min(1)
    .max(remoteLimits.ttlMaxMs)
    .optional()
    .describe("Not to be run when its turn comes later than this after it arrived"),
  ifRevision: z.int().min(0).optional().describe("Only if the config still has this revision"),
  spreadMs: z
    .int()
    .min(0)
    .max(remoteLimits.spreadMaxMs)
    .optional()
    .describe("To many devices: each waits for a random part of this time first"),
  key: z.string().min(1).max(64).optional().describe("Id of the key that signed it"),
  seq: z.int().min(0).optional().describe("Counter of that key, higher than in every request before"),
  sig: z
    .string()
    .regex(/^[A-Za-z0-9+/]{86}==$/, "86 base64 characters and ==")
    .optional()
    .describe("Ed25519 signature"),
});

export type Request = z.output<typeof requestSchema>;

const decoder = new TextDecoder("utf-8", { fatal: true });

export type ParsedRequest =
  | {
      readonly kind: "request";
      readonly request: Request;
      /** What a signature is made over: what was sent, without `sig`, as canonical JSON. */
      readonly unsigned: string;
    }
  /** Why it is none; with its id where that can be read all the same, so that the caller knows which. */
  | { readonly kind: "none"; readonly answer: Answer; readonly id?: string };

export function parseRequest(payload: Buffer): ParsedRequest {
  if (payload.length > remoteLimits.requestBytesMax) {
    const message = `${payload.length} bytes; at most ${remoteLimits.requestBytesMax} are taken`;
    return { kind: "none", answer: refused("too_large", message) };
  }
  const value = jsonOf(payload);
  if (value === undefined) return { kind: "none", answer: refused("bad_json", "not JSON in UTF-8") };
  const parsed = requestSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = pointerOf(issue?.path ?? []);
    const message = `${path === "" ? "the request" : path}: ${shortened(issue?.message ?? "")}`;
    return { kind: "none", answer: refused("bad_json", message, { path }), ...idIn(value) };
  }
  try {
    const unsigned = canonicalJson(isObject(value) ? { ...value, sig: undefined } : {});
    return { kind: "request", request: parsed.data, unsigned };
  } catch (error) {
    return { kind: "none", answer: refused("bad_json", messageOf(error)), ...idIn(value) };
  }
}

/** Also of a request that is no good otherwise. */
function idIn(value: unknown): { readonly id?: string } {
  const id = requestSchema.shape.id.safeParse(isObject(value) ? value["id"] : undefined);
  return id.success && id.data !== undefined ? { id: id.data } : {};
}

/** An empty payload is an empty request: what a person sends by hand. */
function jsonOf(payload: Buffer): unknown {
  if (payload.length === 0) return {};
  try {
    return JSON.parse(decoder.decode(payload));
  } catch {
    return undefined;
  }
}

/** RFC 6901. */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function shortened(text: string): string {
  return text.length > remoteLimits.messageCharsMax ? `${text.slice(0, remoteLimits.messageCharsMax - 1)}…` : text;
}

/** Checks arguments against their schema. */
export function parseArgs(schema: z.ZodType, args: unknown): { readonly args: unknown } | { readonly answer: Answer } {
  const parsed = schema.safeParse(args);
  if (parsed.success) return { args: parsed.data };
  const [issue] = parsed.error.issues;
  const path = pointerOf(["args", ...(issue?.path ?? [])]);
  return { answer: refused("bad_args", `${path}: ${shortened(issue?.message ?? "")}`, { path }) };
}
