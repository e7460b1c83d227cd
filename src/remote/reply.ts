import { AgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/remote-limits.ts";

/** `accepted` and `progress` may come before; exactly one of the others ends a request. */
export type ReplyState = "accepted" | "progress" | "done" | "refused" | "failed" | "expired";

/** Stable words for programs. `refused`: nothing was tried. */
export const replyCodes = {
  ok: "done",
  accepted: "taken; the final reply follows",
  progress: "how far it is; the final reply follows",
  bad_json: "the request is no JSON object in UTF-8, or has a field that is unknown or of the wrong form",
  too_large: "the request is larger than 64 KB",
  unknown_command: "there is no such command",
  bad_args: "the arguments do not fit; data.path says where",
  unauthorized: "a signature is needed, or the one given is not good",
  forbidden: "the key, or a request to many, does not have this scope",
  stale: "the counter is not above the last one of this key",
  retained_refused: "the request was kept by the broker; clear the topic with an empty retained message",
  id_reused: "another request had this id",
  busy: "too many requests; data.unanswered are spoken for by this reply",
  conflict: "what it counts on holds no more: the config's revision, a setting, or what a dry run has counted",
  not_found: "there is no such camera, target, record or model",
  camera_unavailable: "the camera gives no picture",
  storage_full: "there is no room",
  target_error: "the target, or the origin of models, refused or did not answer",
  model_refused: "the release or the model is not good, or did not pass its proof here; the model in use stays",
  timeout: "not done in its time; it was stopped",
  expired: "older than its time to live when its turn came; nothing was done",
  interrupted: "the agent was stopped in the middle; it may have been done or not",
  reverted: "done, and taken back by itself",
  internal: "a mistake of Framepost's; its log says more",
} as const;

export type ReplyCode = keyof typeof replyCodes;

/** What a request came to. The envelope (device, ids, counters) is added where it is sent. */
export interface Answer {
  readonly state: ReplyState;
  readonly code: ReplyCode;
  /** One line for a person, without secrets. */
  readonly message?: string;
  /** The stable code of the agent's own error. */
  readonly error?: string;
  readonly data?: object;
}

export interface Reply extends Answer {
  readonly v: 1;
  readonly device: string;
  readonly cmd: string;
  /** Of the request, where it had one that could be read. */
  readonly id?: string;
  readonly dry?: true;
  /** The request was answered before: this is that answer. */
  readonly duplicate?: true;
  /** Of the config. */
  readonly revision: number;
  /** Counts this device's replies since its start. */
  readonly seq: number;
  /** Milliseconds since its start. */
  readonly upMs: number;
}

/** Where a reply goes. */
export interface ReplyAddress {
  readonly command: string;
  /** MQTT 5, allowed already. The device's own topic when absent. */
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
}

/** An answer on its way to one who waits for it. */
export interface Answered {
  readonly answer: Answer;
  readonly address: ReplyAddress;
  readonly id?: string;
  readonly dry?: boolean;
  readonly duplicate?: boolean;
  /** Once: the broker has the reply, or why it was given up. */
  readonly settled?: (error?: AgentError) => void;
}

export function isFinal({ state }: Answer): boolean {
  return state !== "accepted" && state !== "progress";
}

export function refused(code: ReplyCode, message: string, data?: object): Answer {
  return { state: "refused", code, message, ...(data === undefined ? {} : { data }) };
}

/** Whole where it is short; else what matters of it, in any case its state and code. */
export function briefly(answer: Answer, bytesMax: number): Answer {
  const sizeBytes = Buffer.byteLength(JSON.stringify(answer));
  if (sizeBytes <= bytesMax) return answer;
  const { state, code, error, message } = answer;
  return {
    ...{ state, code },
    ...(error === undefined ? {} : { error }),
    ...(message === undefined ? {} : { message: message.slice(0, remoteLimits.messageCharsMax) }),
    data: { leftOut: true, sizeBytes },
  };
}

/** `failed`, or `refused` where nothing was tried. */
export function answerOfError({ code, message, facts }: AgentError): Answer {
  const meaning = meanings.find(({ codes }) => codes.test(code));
  const { state, reply } = meaning ?? { state: "failed", reply: "internal" };
  const { path } = facts;
  return { state, code: reply, message, error: code, ...(path === undefined ? {} : { data: { path } }) };
}

interface ErrorMeaning {
  readonly codes: RegExp;
  readonly state: "refused" | "failed";
  readonly reply: ReplyCode;
}

const meanings: readonly ErrorMeaning[] = [
  { codes: /^COMMAND_ARGS$|^CONFIG_(INVALID|PATCH)/, state: "refused", reply: "bad_args" },
  { codes: /^COMMAND_FORBIDDEN$/, state: "refused", reply: "forbidden" },
  { codes: /^(CONFIG_CONFLICT|QUEUE_CHANGED)$/, state: "refused", reply: "conflict" },
  { codes: /^CONFIG_REVERTED$/, state: "failed", reply: "reverted" },
  // Also one that is busy, or whose address is not found: what is not there is one of another name.
  { codes: /^CAMERA_(?!UNKNOWN$)/, state: "failed", reply: "camera_unavailable" },
  { codes: /_UNKNOWN$|_NOT_FOUND$|^MODEL_(NONE|NO_ORIGIN|NO_PREVIOUS)$/, state: "refused", reply: "not_found" },
  { codes: /^MODEL_PINNED$/, state: "refused", reply: "conflict" },
  { codes: /_BUSY$/, state: "refused", reply: "busy" },
  { codes: /^(SPOOL|DISK)_FULL$|^MODEL_NO_ROOM$|^STATE_UNWRITABLE$/, state: "failed", reply: "storage_full" },
  { codes: /^COMMAND_TIMEOUT$/, state: "failed", reply: "timeout" },
  { codes: /^(HTTP|NET|TLS|MQTT|PROXY|TARGET)_|^RELEASE_UNAVAILABLE$/, state: "failed", reply: "target_error" },
  { codes: /^(RELEASE|MODEL_(?!BOOKS|STORE))/, state: "failed", reply: "model_refused" },
];

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
