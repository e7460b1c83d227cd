import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { isObject, type Reply, replyCodes, type ReplyState } from "../../src/remote/reply.ts";

/** What a device says of a request; of another version perhaps, so that its code is any word. */
export interface ShownReply extends Pick<Reply, "device" | "cmd" | "id" | "message" | "error" | "data"> {
  readonly state: ReplyState;
  readonly code: string;
  readonly dry?: boolean;
  readonly duplicate?: boolean;
  readonly revision?: number;
}

const states: readonly string[] = ["accepted", "progress", "done", "refused", "failed", "expired"];

/** Undefined for what is no reply: anybody may publish anything. */
export function replyOf({ payload }: MqttMessage): ShownReply | undefined {
  const value = jsonOf(payload);
  if (!isObject(value)) return undefined;
  const { device, cmd, id, state, code, message, error, data, dry, duplicate, revision } = value;
  if (typeof device !== "string" || typeof cmd !== "string") return undefined;
  if (typeof state !== "string" || !isState(state) || typeof code !== "string") return undefined;
  return {
    ...{ device, cmd, state, code },
    ...(typeof id === "string" ? { id } : {}),
    ...(typeof message === "string" ? { message } : {}),
    ...(typeof error === "string" ? { error } : {}),
    ...(isObject(data) ? { data } : {}),
    ...(dry === true ? { dry } : {}),
    ...(duplicate === true ? { duplicate } : {}),
    ...(typeof revision === "number" ? { revision } : {}),
  };
}

/** One line for a person: what the device says of itself, else what the code means. */
export function replyText({ state, code, message, data, duplicate, dry }: ShownReply): string {
  const marks = [...(dry === true ? ["dry run"] : []), ...(duplicate === true ? ["answered before"] : [])];
  const meaning =
    state === "done" || state === "accepted"
      ? undefined
      : Object.entries(replyCodes).find(([key]) => key === code)?.[1];
  const text = message ?? (data === undefined ? meaning : JSON.stringify(data));
  return [...(marks.length === 0 ? [] : [`(${marks.join(", ")})`]), ...(text === undefined ? [] : [text])].join(" ");
}

export function jsonOf(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString("utf8"));
  } catch {
    return undefined;
  }
}

function isState(word: string): word is ReplyState {
  return states.includes(word);
}
