import { AgentError } from "../../core/errors.ts";
import { layernextLimits } from "../../core/platform-limits.ts";
import type { HttpAnswer, StatusContext } from "../../link/http-status.ts";
import { jsonAnswer, jsonOf, requireStatus, unexpectedAnswer } from "../platform-answer.ts";
import { isObject, type JsonObject } from "../json.ts";

/** LayerNext's answers, from foreign JSON to types. What is not as the vendor's clients read it is an error. */

export interface Answered {
  readonly answer: HttpAnswer;
  readonly context: StatusContext;
}

/**
 * The object of a 200. A 204 means "no content" in the vendor's clients, which is a failure wherever this is used, and so
 * is `isSuccess: false` or an `error` in a 200: the vendor's clients overlook both.
 */
export function objectAnswer({ answer, context }: Answered): JsonObject {
  const value = jsonAnswer(answer, context);
  if (!isObject(value)) throw unexpectedAnswer("JSON that is no object", answer, context);
  refuseRefusal(value, { answer, context });
  return value;
}

/** A 200 or 204 whose body need not be anything, but must not say no. */
export function emptyAnswer({ answer, context }: Answered): void {
  requireStatus(answer, context, [200, 204]);
  const value = jsonOf(answer.body);
  if (isObject(value)) refuseRefusal(value, { answer, context });
}

function refuseRefusal({ isSuccess, error }: JsonObject, { answer, context }: Answered): void {
  if (isSuccess !== false && (error === undefined || error === null)) return;
  const { message } = unexpectedAnswer("a refusal", answer, context);
  throw new AgentError("PLATFORM_FAILED", message, { disposition: "retry" });
}

/** An id goes into later requests and into the target's memory, so it has a bound. */
export function idOf(fields: JsonObject, key: string, answered: Answered): string {
  const id = optionalIdOf(fields, key, answered);
  if (id === undefined) throw unexpectedAnswer(`no ${key}`, answered.answer, answered.context);
  return id;
}

export function optionalIdOf(fields: JsonObject, key: string, { answer, context }: Answered): string | undefined {
  const id = fields[key];
  if (id === undefined || id === null) return undefined;
  const text = typeof id === "number" && Number.isSafeInteger(id) ? String(id) : id;
  if (isId(text)) return text;
  throw unexpectedAnswer(`a ${key} that is none`, answer, context);
}

/** What it takes in the target's memory counts, where a control character takes six bytes. */
export function isId(value: unknown): value is string {
  return (
    typeof value === "string" && value !== "" && Buffer.byteLength(JSON.stringify(value)) <= layernextLimits.idBytesMax
  );
}

export function numberOf(fields: JsonObject, key: string, { answer, context }: Answered): number {
  const value = fields[key];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw unexpectedAnswer(`no number as ${key}`, answer, context);
}

/** What to ask for an attribute's and its values' references. */
export interface AttributeReferences {
  readonly ref: string;
  readonly values: ReadonlyMap<string, string>;
}

export interface LabelReference {
  readonly ref: string;
  readonly color: string;
  readonly attributes: ReadonlyMap<string, AttributeReferences>;
}

/** `{ref, color, texts: {attribute: {ref, texts: {value: ref}}}}`; undefined where it is something else. */
export function labelReferenceOf(value: unknown, refKey: string): LabelReference | undefined {
  if (!isObject(value)) return undefined;
  const { [refKey]: ref, color, texts } = value;
  if (typeof ref !== "string" || ref === "" || typeof color !== "string") return undefined;
  const attributes = new Map<string, AttributeReferences>();
  for (const [name, attribute] of Object.entries(isObject(texts) ? texts : {})) {
    if (!isObject(attribute)) continue;
    const { [refKey]: own, texts: values } = attribute;
    if (typeof own !== "string") continue;
    const refs = Object.entries(isObject(values) ? values : {}).flatMap(([text, reference]) =>
      typeof reference === "string" ? [[text, reference] as const] : [],
    );
    attributes.set(name, { ref: own, values: new Map(refs) });
  }
  return { ref, color, attributes };
}
