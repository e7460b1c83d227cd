import type { Json, RecordedAnswer, RecordedRequest } from "../fixture.ts";
import type { Answers } from "../recorder.ts";

/** What Custom Vision answers according to its published description; v1.2 in PascalCase, v3 in camelCase. */
export function customVisionAnswers(): Answers {
  return (request) => {
    const isFirst = request.path.includes("/v1.2/");
    const answer = answerOf(request, request.path.replace(/^.*\/projects\/[^/]+/, "/project"), isFirst);
    return isFirst && answer.body.kind === "json"
      ? { ...answer, body: { kind: "json", value: pascalCase(answer.body.value) } }
      : answer;
  };
}

function answerOf(request: RecordedRequest, path: string, isFirst: boolean): RecordedAnswer {
  if (request.method === "DELETE") return { status: 204, body: { kind: "none" } };
  if (request.method === "POST") return created(request, path);
  if (path.endsWith("/tagged") || path.endsWith("/untagged")) return json([image(1, path.endsWith("/tagged"))]);
  if (path.endsWith("/tags")) {
    return json(
      isFirst ? { tags: [tag("forklift")], totalTaggedImages: 3, totalUntaggedImages: 1 } : [tag("forklift")],
    );
  }
  if (path === "/project") return json({ id: PROJECT, name: "dock", settings: { domainId: DOMAIN } });
  if (path.includes("/domains")) {
    const domain = { id: DOMAIN, name: "General", exportable: false, enabled: true };
    const typed = isFirst ? domain : { ...domain, type: "ObjectDetection" };
    return json(path.endsWith("/domains") ? [typed] : typed);
  }
  return { status: 404, body: { kind: "json", value: { code: "NotFound", message: path } } };
}

function created(request: RecordedRequest, path: string): RecordedAnswer {
  if (path.endsWith("/images/tags")) return json({ created: entries(request, "tags"), duplicated: [], exceeded: [] });
  if (path.endsWith("/images/regions")) {
    return json({ created: entries(request, "regions"), duplicated: [], exceeded: [] });
  }
  if (path.endsWith("/tags")) return json(tag(request.query.find(([name]) => name === "name")?.[1] ?? ""));
  const names = entries(request, "images").map((_, at) => ({
    sourceUrl: `photo-${at + 1}.jpg`,
    status: "OK",
    image: image(at + 1, true),
  }));
  const one = { sourceUrl: "photo-1.jpg", status: "OK", image: image(1, true) };
  return json({ isBatchSuccessful: true, images: names.length > 0 ? names : [one] });
}

const PROJECT = "6a0c1f6e-0000-4000-8000-000000000001";
const DOMAIN = "da2e3a8a-0000-4000-8000-000000000001";
const TAG = "11111111-0000-4000-8000-000000000001";

function image(nth: number, isTagged: boolean): Json {
  return {
    id: `22222222-0000-4000-8000-00000000000${nth}`,
    created: "2026-01-02T03:04:05Z",
    width: 96,
    height: 54,
    tags: isTagged ? [{ tagId: TAG, created: "2026-01-02T03:04:05Z" }] : [],
  };
}

function tag(name: string): Json {
  return { id: TAG, name, description: null, imageCount: 0 };
}

/** The list `key` of the body, in whichever case it was written. */
function entries(request: RecordedRequest, key: string): readonly Json[] {
  if (request.body.kind !== "json") return [];
  const body = request.body.value as Readonly<Record<string, Json>>;
  const list = body[key] ?? body[key.charAt(0).toUpperCase() + key.slice(1)];
  return Array.isArray(list) ? (list as readonly Json[]) : [];
}

function pascalCase(value: Json): Json {
  if (Array.isArray(value)) return value.map((each: Json) => pascalCase(each));
  if (value === null || typeof value !== "object") return value;
  const renamed = Object.entries(value).map(([k, v]) => [k.charAt(0).toUpperCase() + k.slice(1), pascalCase(v)]);
  return Object.fromEntries(renamed) as Json;
}

function json(value: Json): RecordedAnswer {
  return { status: 200, body: { kind: "json", value } };
}
