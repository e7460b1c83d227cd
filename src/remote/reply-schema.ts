import { z } from "zod";
import { type ReplyCode, replyCodes, type ReplyState } from "./reply.ts";

const states = [
  "accepted",
  "progress",
  "done",
  "refused",
  "failed",
  "expired",
] as const satisfies readonly ReplyState[];
const codes = Object.keys(replyCodes) as [ReplyCode, ...ReplyCode[]];

/** A reply as a caller reads it. Keys may be added in later versions. */
export const replySchema = z.looseObject({
  v: z.literal(1),
  device: z.string(),
  cmd: z.string().describe("The command; `unknown` where its name was none"),
  id: z.string().optional().describe("Of the request, where it had one that could be read"),
  state: z.enum(states),
  code: z.enum(codes),
  message: z.string().optional().describe("One line for a person, without secrets"),
  error: z.string().optional().describe("The stable code of the device's own error"),
  data: z.looseObject({}).optional().describe("What the command answers; with bad_args and bad_json, path says where"),
  dry: z.literal(true).optional().describe("Nothing was changed: this is what would have happened"),
  duplicate: z.literal(true).optional().describe("The request was answered before: this is that answer"),
  revision: z.int().min(0).describe("Of the config"),
  seq: z.int().min(1).describe("Counts this device's replies since its start"),
  upMs: z.int().min(0).describe("Milliseconds since its start"),
});
