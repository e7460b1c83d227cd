import { isObject, type JsonObject } from "../json.ts";
import { objectOf } from "./parse.ts";

/** Where an upload session stands, as `GET …/uploads/{sid}/status/` says. */

export interface RemoFileCounts {
  readonly total: number;
  readonly pending: number;
  readonly successful: number;
  readonly failed: number;
}

export interface RemoSessionStatus {
  /** `not complete` still takes files; an unknown word counts as not finished. */
  readonly state: "not complete" | "pending" | "in progress" | "done" | "failed" | "unknown";
  readonly images: RemoFileCounts;
  readonly annotations: RemoFileCounts;
  /** What was said of single files, by file name: images and annotation files alike. */
  readonly fileErrors: ReadonlyMap<string, string>;
  /** What was said of the session as a whole. */
  readonly errors: readonly string[];
  /** Images that the server has taken in so far, where it says so. */
  readonly imagesUploaded: number | undefined;
}

const states = ["not complete", "pending", "in progress", "done", "failed"] as const;
const textCharsMax = 500;

/** An empty object is no status (the vendor's own client counts it as an error): it fails with `REMO_ANSWER`. */
export function sessionStatusOf(value: unknown, what: string): RemoSessionStatus {
  const object = objectOf(value, what);
  const word = object["status"];
  const state = states.find((known) => known === word);
  if (typeof word !== "string") return { ...empty, state: "unknown" };
  const fileErrors = new Map<string, string>();
  for (const part of [object["images"], object["annotations"]]) {
    for (const entry of listOf(isObject(part) ? part["errors"] : undefined)) {
      const name = entry["filename"];
      if (typeof name === "string") addError(fileErrors, name, errorTexts(entry["errors"]));
    }
  }
  const errors: string[] = [];
  for (const entry of listOf(object["errors"])) {
    const text = typeof entry["error"] === "string" ? entry["error"].slice(0, textCharsMax) : "an error without a text";
    const name = entry["value"] ?? entry["filename"];
    if (typeof name === "string") addError(fileErrors, name, text);
    else errors.push(text);
  }
  return {
    state: state ?? "unknown",
    images: countsOf(object["images"]),
    annotations: countsOf(object["annotations"]),
    fileErrors,
    errors,
    imagesUploaded: uploadedOf(object["uploaded"]),
  };
}

export function isFinished({ state }: RemoSessionStatus): boolean {
  return state === "done" || state === "failed";
}

/** Differs whenever the server has got on. */
export function progressMark({ state, images, annotations }: RemoSessionStatus): string {
  return `${state[0] ?? "u"}${images.pending}.${images.successful + images.failed}.${annotations.successful + annotations.failed}`;
}

const noCounts: RemoFileCounts = { total: 0, pending: 0, successful: 0, failed: 0 };
const empty: Omit<RemoSessionStatus, "state"> = {
  images: noCounts,
  annotations: noCounts,
  fileErrors: new Map(),
  errors: [],
  imagesUploaded: undefined,
};

function countsOf(value: unknown): RemoFileCounts {
  if (!isObject(value)) return noCounts;
  const count = (key: string): number => {
    const number = value[key];
    return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : 0;
  };
  return { total: count("total"), pending: count("pending"), successful: count("successful"), failed: count("failed") };
}

function uploadedOf(value: unknown): number | undefined {
  const images = isObject(value) ? value["images"] : undefined;
  const items = isObject(images) ? images["items"] : undefined;
  return typeof items === "number" ? items : undefined;
}

function listOf(value: unknown): readonly JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown) => (isObject(item) ? item : { error: String(item) }));
}

function errorTexts(value: unknown): string {
  const texts = Array.isArray(value) ? value.map(String) : [String(value)];
  // An annotation file's text may name many images, one a line.
  return texts.join("; ").slice(0, 40 * textCharsMax);
}

function addError(errors: Map<string, string>, name: string, text: string): void {
  const before = errors.get(name);
  errors.set(name, before === undefined ? text : `${before}; ${text}`);
}
