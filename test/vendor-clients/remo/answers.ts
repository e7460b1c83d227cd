import type { Json, RecordedAnswer, RecordedRequest } from "../fixture.ts";
import type { Answers } from "../recorder.ts";

/** What a remo server answers: the shapes of the document, and the fields that the client reads. */
export function remoAnswers(): Answers {
  let polls = 0;
  return (request) => {
    if (!request.path.endsWith("/status/")) return fixedAnswer(request);
    polls += 1;
    return json(session(["pending", "in progress", "done"][Math.min(polls, 3) - 1] ?? "done"));
  };
}

const SESSION = "55555555-0000-4000-8000-000000000001";

function fixedAnswer({ method, path }: RecordedRequest): RecordedAnswer {
  if (path === "/api/rest-auth/login/") return json({ key: "test-token" });
  if (method === "DELETE") return { status: 204, body: { kind: "none" } };
  if (path === "/api/dataset/") return json(dataset);
  if (path === "/api/v1/ui/uploads/") return json(session("not complete"), 201);
  if (path.endsWith("/complete/") || path.endsWith("/upload/")) return json({ session_id: SESSION });
  if (path.endsWith("/save-annotation/")) return json({ status: "done" });
  if (path.endsWith("/annotation/")) return json({ annotation_info: [] });
  if (path.endsWith("/export/")) return json([]);
  if (path === "/api/v1/ui/annotation-sets/") return json(createdSet, 201);
  if (path.startsWith("/api/annotation-set/")) return json(annotationSetOf(path));
  if (path.startsWith("/api/v1/ui/annotation-sets/")) return json(annotationSetOf(path));
  if (path.endsWith("/annotation-sets/")) return page([{ ...annotationSet, statistics }]);
  if (path === "/api/v1/ui/datasets/") return page([dataset]);
  if (path.endsWith("/images/") && !path.includes("/sdk/images/")) return page([image]);
  if (path.includes("/contents/")) return page([{ record_type: "image", image, folder: null }]);
  if (path.startsWith("/api/v1/sdk/images/")) return json(image);
  if (path.startsWith("/media/")) return { status: 200, body: { kind: "photo", name: "photo-1.jpg" } };
  if (path.startsWith("/api/v1/ui/datasets/")) return json(dataset);
  return json({ detail: "Not found." }, 404);
}

const dataset = { id: 4, name: "dock", quantity: 2, created_at: "2026-01-02T03:04:05Z" };
const statistics = { top3_classes: [], annotated_images_count: 2, total_classes: 1, total_annotation_objects: 3 };
const annotationSet = {
  id: 3,
  name: "Object detection",
  updated_at: "2026-01-02T03:04:05Z",
  task: { id: 1, name: "Object detection", type: "object_detection" },
  dataset: { id: 4, name: "dock" },
  classes: [{ id: 1, name: "Person" }],
};

/** Set 5 is one of outlines, set 6 one of labels. */
function annotationSetOf(path: string): Json {
  const id = Number(path.split("/").at(-2));
  const name = id === 5 ? "Instance segmentation" : id === 6 ? "Image classification" : "Object detection";
  return { ...annotationSet, id, name, task: { id: 1, name, type: name.toLowerCase().replace(" ", "_") } };
}

const createdSet = {
  id: 3,
  name: "boxes",
  task: "Object detection",
  dataset_id: 4,
  classes: [{ id: 1, name: "Person" }],
};
const image = {
  id: 7,
  name: "photo-1.jpg",
  dataset_id: 4,
  url: "/media/photo-1.jpg",
  size: 688,
  width: 96,
  height: 54,
};

function session(status: string): Json {
  const counts = { pending: 0, total: 2, successful: 2, failed: 0, errors: [], warnings: [] };
  const size = { items: 2, size: 1182, human_size: "1.2 KB" };
  return {
    session_id: SESSION,
    dataset: { id: 4, name: "dock" },
    status,
    substatus: "",
    images: counts,
    annotations: counts,
    errors: [],
    warnings: [],
    uploaded: { total: size, images: size, annotations: size, archives: size },
  };
}

function page(results: readonly Json[]): RecordedAnswer {
  return json({ count: results.length, next: null, previous: null, results });
}

function json(value: Json, status = 200): RecordedAnswer {
  return { status, body: { kind: "json", value } };
}
