import { AgentError, type Disposition } from "./errors.ts";
import type { Cursor } from "./types.ts";

/** What a target answered for one delivery. */
export type Outcome =
  | { readonly kind: "accepted"; readonly remoteId?: string }
  | { readonly kind: "rejected"; readonly error: AgentError }
  | {
      readonly kind: "retry";
      /** `target`: nobody's record is to blame, the target's breaker opens. `record`: it is this record's own affair. */
      readonly scope: "target" | "record";
      readonly error: AgentError;
      readonly afterMs?: number;
      readonly cursor?: Cursor;
    };

interface Verdict {
  readonly kind: "rejected" | "retry";
  readonly scope: "target" | "record";
  /** The record itself may be what makes the target fail: three such failures between successes of others are charged to it. */
  readonly suspect: boolean;
  /** False where the record is in order: it waits as long as it takes. */
  readonly charged: boolean;
  /** All others of its camera wait with it. */
  readonly holdsCamera?: true;
}

const targetAway: Verdict = { kind: "retry", scope: "target", suspect: false, charged: true };
const targetFailed: Verdict = { kind: "retry", scope: "target", suspect: true, charged: true };
const recordRetry: Verdict = { kind: "retry", scope: "record", suspect: false, charged: true };
const recordWaits: Verdict = { kind: "retry", scope: "record", suspect: false, charged: false };
const cameraHeld: Verdict = { ...recordWaits, holdsCamera: true };
const recordRefused: Verdict = { kind: "rejected", scope: "record", suspect: false, charged: true };

/**
 * The retry-or-not table: every error that a delivery has met, by code. It lies in core because targets answer outcomes
 * and may not import `deliver`. A code that is not here falls back on the error's disposition.
 *
 * Wrong addresses (404, 405, redirects) are the target's, not the record's: a mistyped URL must not empty the spool
 * into quarantine.
 */
const verdicts: Readonly<Record<string, Verdict>> = {
  ABORTED: targetAway,
  NET_REFUSED: targetAway,
  NET_DNS: targetAway,
  NET_UNREACHABLE: targetAway,
  NET_CONNECT_TIMEOUT: targetAway,
  NET_RESET: targetFailed,
  NET_TIMEOUT: targetFailed,
  TLS_UNTRUSTED: targetAway,
  TLS_CLIENT_CERT: targetAway,
  TLS_FAILED: targetAway,
  TLS_CONFIG: targetAway,
  PROXY_FAILED: targetAway,

  /** A header or address that cannot be sent at all: the config's fault. */
  HTTP_BAD_REQUEST: targetAway,
  HTTP_REDIRECT: targetAway,
  HTTP_401: targetAway,
  HTTP_402: targetAway,
  /** Mostly credentials, but firewalls also answer it for one picture whose base64 they dislike. */
  HTTP_403: targetFailed,
  HTTP_404: targetAway,
  HTTP_405: targetAway,
  HTTP_407: targetAway,
  HTTP_408: targetFailed,
  /** A service that has ended says this; like 404 it is about the address. */
  HTTP_410: targetAway,
  HTTP_425: targetAway,
  HTTP_429: targetAway,
  HTTP_500: targetFailed,
  HTTP_502: targetFailed,
  HTTP_503: targetFailed,
  HTTP_504: targetFailed,
  /** A web page where an answer was due (captive portal, proxy), or a 2xx that the platform does not document. */
  HTTP_NOT_THE_PLATFORM: targetFailed,
  HTTP_UNEXPECTED_STATUS: targetFailed,
  HTTP_ANSWER_TOO_LARGE: targetFailed,
  HTTP_400: recordRefused,
  HTTP_409: recordRefused,
  HTTP_411: recordRefused,
  HTTP_413: recordRefused,
  HTTP_415: recordRefused,
  HTTP_422: recordRefused,

  /** Every record for it is refused alike, until somebody registers the node or mends the config; or the server cannot
   * be asked for nodes, and it is this record alone. */
  IOTOWN_NODE_UNKNOWN: targetFailed,

  MQTT_OFFLINE: targetAway,
  MQTT_BUSY: targetAway,
  MQTT_CREDENTIALS: targetAway,
  /** The broker speaks of one topic, which names the camera: others may be free to write to theirs. */
  MQTT_NOT_AUTHORISED: cameraHeld,
  MQTT_QUOTA: targetAway,
  MQTT_ACK_TIMEOUT: targetFailed,
  MQTT_CLOSED: targetFailed,
  MQTT_PROTOCOL: targetFailed,
  /** The same: the record is in order, and waits for somebody to listen. */
  MQTT_NO_SUBSCRIBER: cameraHeld,
  MQTT_REFUSED: recordRetry,
  MQTT_TOO_LARGE: recordRefused,

  /** The place on the platform is in somebody else's hands for now. */
  PLATFORM_LOCKED: targetAway,
  /** What was refused is a step before any record: signing in, opening an upload. */
  PLATFORM_REFUSED: targetAway,
  /** The name under which this camera's records go is not to be had; others may be free to use theirs. */
  PLATFORM_CATEGORY: cameraHeld,
  /** Something befell a record before it in the same call. */
  NOT_SENT: targetAway,

  DISK_FULL: targetAway,
  DISK_FAILED: targetFailed,
  FOLDER_FULL: targetAway,

  /** The image or its labels break a limit that the platform documents, or it said so of this one alone. */
  IMAGE_TOO_LARGE: recordRefused,
  IMAGE_REFUSED: recordRefused,
  TAG_REFUSED: recordRefused,
  TAG_NOT_MADE: recordRetry,
  /** The platform has this record's image in its hands and says neither yes nor no. */
  IMAGE_UNCERTAIN: recordRetry,
  /** The same of everything it was given: then it is the platform that is not well. */
  PLATFORM_UNCERTAIN: targetFailed,
  /** No more images fit into the account: a person has to make room. */
  PROJECT_FULL: targetAway,
  /** The project wants another kind of annotation than the config sends. */
  PROJECT_MISMATCH: targetAway,
  /** The rest of a batch that another record has cut short. */
  BATCH_INTERRUPTED: targetAway,
  STORAGE_UNSUPPORTED: targetAway,
  PLATFORM_FAILED: targetFailed,
  UPLOAD_REFUSED: targetFailed,
  STORAGE_REFUSED: targetFailed,
  JOB_FAILED: targetFailed,
  JOB_STUCK: targetFailed,
  JOB_PENDING: recordRetry,
  UPLOAD_PAUSED: recordRetry,
  LABEL_UNKNOWN: recordRefused,
  UPLOAD_REMOVED: recordRefused,
  REMO_SETTINGS: targetAway,
  REMO_BUSY: targetAway,
  REMO_ANSWER: targetFailed,
  REMO_REFUSED: targetFailed,
  REMO_SESSION_FAILED: targetFailed,
  REMO_STUCK: targetFailed,
  REMO_PENDING: recordRetry,
  REMO_FILE_FAILED: recordRetry,
  REMO_FILE_REFUSED: recordRefused,
  /** A reduced copy could not be made now. Other failures of the vision process may be the picture's doing. */
  VISION_UNAVAILABLE: recordWaits,
  VISION_CRASHED: recordRetry,
  VISION_TIMEOUT: recordRetry,

  RECORD_UNREADABLE: recordRefused,
  ENCODE_FAILED: recordRefused,
  /** A bug of ours: it may hit every record, and must not empty the spool into quarantine. */
  UNEXPECTED: targetFailed,
};

const byDisposition: Readonly<Record<Disposition, Verdict>> = {
  retry: targetFailed,
  reject: recordRefused,
  fatal: targetAway,
};

function verdictOf(error: AgentError): Verdict {
  return verdicts[error.code] ?? byHttpClass(error.code) ?? byDisposition[error.disposition];
}

function byHttpClass(code: string): Verdict | undefined {
  if (/^HTTP_5\d\d$/.test(code)) return targetFailed;
  if (/^HTTP_4\d\d$/.test(code)) return recordRefused;
  if (/^HTTP_3\d\d$/.test(code)) return targetAway;
  return undefined;
}

/** The one function that decides retry or not. */
export function outcomeOf(error: AgentError): Outcome {
  const verdict = verdictOf(error);
  if (verdict.kind === "rejected") return { kind: "rejected", error };
  return {
    kind: "retry",
    scope: verdict.scope,
    error,
    ...(error.afterMs === undefined ? {} : { afterMs: error.afterMs }),
  };
}

/** True when the record may be the cause although the failure counts as the target's (5xx, timeout, disconnect). */
export function suspectsRecord(error: AgentError): boolean {
  return verdictOf(error).suspect;
}

/** False when the record waits for what is not its own fault, and no attempt is counted against it. */
export function chargesRecord(error: AgentError): boolean {
  return verdictOf(error).charged;
}

/** True when all other records of its camera have to wait as well. */
export function holdsCamera(error: AgentError): boolean {
  return verdictOf(error).holdsCamera === true;
}

/** True when the other side refused the size: of the picture, the message or the request that carries it. */
export function isTooLarge({ code }: AgentError): boolean {
  return code === "HTTP_413" || code === "MQTT_TOO_LARGE" || code === "IMAGE_TOO_LARGE";
}
