import type { DeliveryHealth, UploadBudgetHealth, UploadHealth } from "../core/health.ts";
import type { ModelChange } from "../core/model-choice.ts";
import type { Loss, SentEntry, SpoolListing, TargetBacklog } from "../core/ports.ts";
import type { CameraLook, HeldRecord, QueueCheck, QueueFinding, QueueStats, QueueStep } from "../core/queue.ts";
import type { StoredRecord } from "../core/types.ts";
import { arrayOf, countOf, deliveriesOf, malformed, numberOf, objectOf, optional, textOf, truthOf } from "./parse.ts";

/** What the daemon answers, parsed by the command that asked. */

export function statsOf(value: unknown): QueueStats {
  const from = objectOf(value, "figures");
  return {
    records: countOf(from["records"], "records"),
    bytes: countOf(from["bytes"], "bytes"),
    lastSequence: countOf(from["lastSequence"], "a sequence"),
    damaged: countOf(from["damaged"], "damaged"),
    missing: countOf(from["missing"], "missing"),
    encrypted: countOf(from["encrypted"], "encrypted"),
    targets: arrayOf(from["targets"], "targets", backlogOf),
    lost: arrayOf(from["lost"], "losses", lossOf),
    ...optional(from, "oldestAgeMs", numberOf),
    ...optional(from, "evicting", truthOf),
    ...optional(from, "deliveries", (list, what) => arrayOf(list, what, deliveryHealthOf)),
    ...optional(from, "upload", uploadHealthOf),
    ...optional(from, "cameras", (list, what) => arrayOf(list, what, cameraLookOf)),
  };
}

function backlogOf(value: unknown): TargetBacklog {
  const from = objectOf(value, "a backlog");
  return {
    targetId: textOf(from["targetId"], "a target"),
    pending: numberOf(from["pending"], "pending"),
    leased: countOf(from["leased"], "leased"),
    quarantined: numberOf(from["quarantined"], "quarantined"),
    accepted: countOf(from["accepted"], "accepted"),
    ...optional(from, "removedForMs", numberOf),
  };
}

function lossOf(value: unknown): Loss {
  const from = objectOf(value, "a loss");
  return {
    targetId: textOf(from["targetId"], "a target"),
    priority: numberOf(from["priority"], "a priority"),
    // A reason of another version is shown as it came.
    reason: textOf(from["reason"], "a reason") as Loss["reason"],
    deliveries: countOf(from["deliveries"], "deliveries"),
  };
}

/** What the command line shows is checked; the counters beside it pass as they come from the same program. */
function deliveryHealthOf(value: unknown): DeliveryHealth {
  const from = objectOf(value, "a delivery's health");
  textOf(from["targetId"], "a target");
  textOf(from["state"], "a state");
  optional(from, "retryInMs", numberOf);
  optional(from, "pausedForMs", numberOf);
  optional(from, "opensInMs", numberOf);
  optional(from, "lastError", (error) => textOf(objectOf(error, "an error")["code"], "a code"));
  return value as DeliveryHealth;
}

function cameraLookOf(value: unknown): CameraLook {
  const from = objectOf(value, "a camera's state");
  return {
    id: textOf(from["id"], "a camera"),
    // A state of another version is shown as it came.
    state: textOf(from["state"], "a state") as CameraLook["state"],
    ...optional(from, "error", cameraErrorOf),
  };
}

function cameraErrorOf(value: unknown): NonNullable<CameraLook["error"]> {
  const from = objectOf(value, "an error");
  return { code: textOf(from["code"], "a code"), message: textOf(from["message"], "a message") };
}

function uploadHealthOf(value: unknown): UploadHealth {
  const from = objectOf(value, "what holds for uploads");
  return {
    ...optional(from, "limitBytesPerSecond", numberOf),
    ...optional(from, "limitWaitMs", numberOf),
    ...optional(from, "budget", uploadBudgetOf),
  };
}

function uploadBudgetOf(value: unknown): UploadBudgetHealth {
  const from = objectOf(value, "a budget");
  for (const key of Object.keys(from)) numberOf(from[key], key);
  return from;
}

export function listingOf(value: unknown): SpoolListing {
  const from = objectOf(value, "a listing");
  return { record: recordOf(from["record"]), deliveries: deliveriesOf(from["deliveries"]) };
}

/** As with an envelope's metadata, what names the record and what is listed of it is looked at. */
function recordOf(value: unknown): StoredRecord {
  const from = objectOf(value, "a record");
  textOf(from["id"], "an id");
  textOf(from["name"], "a name");
  textOf(from["cameraId"], "a camera");
  countOf(from["sequence"], "a sequence");
  numberOf(from["capturedAtMs"], "a time");
  arrayOf(from["detections"], "detections", (item) => textOf(objectOf(item, "a detection")["label"], "a label"));
  textOf(objectOf(from["reason"], "a reason")["rule"], "a rule");
  return value as StoredRecord;
}

export function sentEntryOf(value: unknown): SentEntry {
  const from = objectOf(value, "an entry");
  return {
    number: countOf(from["number"], "a number"),
    sequence: countOf(from["sequence"], "a sequence"),
    id: textOf(from["id"], "an id"),
    name: textOf(from["name"], "a name"),
    targetId: textOf(from["targetId"], "a target"),
    ...optional(from, "remoteId", textOf),
    atMs: numberOf(from["atMs"], "a time"),
  };
}

export function stepOf(value: unknown): QueueStep {
  const from = objectOf(value, "a step");
  return {
    changed: countOf(from["changed"], "changed"),
    busy: countOf(from["busy"], "busy"),
    lastSequence: countOf(from["lastSequence"], "a sequence"),
    done: truthOf(from["done"], "done"),
  };
}

export function checkOf(value: unknown): QueueCheck {
  const from = objectOf(value, "a check");
  return {
    recordsChecked: countOf(from["recordsChecked"], "records"),
    findings: arrayOf(from["findings"], "findings", findingOf),
    lastSequence: countOf(from["lastSequence"], "a sequence"),
    done: truthOf(from["done"], "done"),
  };
}

function findingOf(value: unknown): QueueFinding {
  const from = objectOf(value, "a finding");
  return {
    code: textOf(from["code"], "a code"),
    message: textOf(from["message"], "a message"),
    ...optional(from, "sequence", countOf),
  };
}

export function heldOf(value: unknown): HeldRecord {
  const from = objectOf(value, "a held record");
  return {
    sequence: countOf(from["sequence"], "a sequence"),
    id: textOf(from["id"], "an id"),
    heldBefore: truthOf(from["heldBefore"], "heldBefore"),
  };
}

export function changeOf(value: unknown): ModelChange {
  const from = objectOf(value, "a change of models");
  return {
    to: textOf(from["to"], "a model"),
    ...optional(from, "from", textOf),
    ...optional(from, "runMs", numberOf),
    probationMs: numberOf(from["probationMs"], "a time"),
    notes: arrayOf(from["notes"], "notes", (note) => textOf(note, "a note")),
  };
}

/** An image of no bytes is no image. */
export function bytesOf(bytes: Buffer): Buffer {
  if (bytes.length === 0) throw malformed("bytes");
  return bytes;
}
