import { jsonObjectBody, onlyKeys, violated } from "../checks.ts";
import type { SandboxAnswer, SandboxRequest } from "../http-sandbox.ts";
import { taskNames, type RemoTaskName } from "./csv.ts";
import { exported } from "./export.ts";
import { flag, named, noBody, type Route, type RouteTools } from "./routes.ts";
import { nameIn } from "./upload-request.ts";
import type { AnnotationSet } from "./world.ts";

const base = "/api/v1/ui/annotation-sets";

/** Annotation sets, their classes and tags, and the export. */
export function setRoutes(tools: RouteTools): readonly Route[] {
  return [
    { operation: exactly("POST", `${base}/`), judge: (request) => createSet(tools, request) },
    { operation: exactly("POST", "/api/annotation-set/"), judge: (request) => createOldSet(tools, request) },
    {
      operation: exactly("GET", `${base}/(\\d+)/`),
      judge: (_, [id]) => answering(() => setBody(tools, tools.set(id))),
    },
    {
      operation: exactly("GET", "/api/annotation-set/(\\d+)/"),
      judge: (_, [id]) => answering(() => setBody(tools, tools.set(id))),
    },
    { operation: exactly("PUT", `${base}/(\\d+)/`), judge: (request, [id]) => renameSet(tools, request, id) },
    {
      operation: exactly("GET", `${base}/(\\d+)/export/`),
      query: ["annotation_format", "full_path", "export_coordinates", "export_tags"],
      judge: (request, [id]) => exportSet(tools, request, id),
    },
    ...classRoutes(tools),
    ...tagRoutes(tools),
  ];
}

function classRoutes(tools: RouteTools): readonly Route[] {
  const { world } = tools;
  const named = (id: number): SandboxAnswer => ({ status: 200, body: { id, name: world.classes.get(id) } });
  const classOf = (set: AnnotationSet, text: string | undefined): number => {
    const id = Number(text);
    return set.classIds.has(id) ? id : violated(`annotation set ${set.id} has no class ${text}`, 404);
  };
  return [
    {
      operation: exactly("POST", "/api/common-class/"),
      judge(request) {
        const name = nameOf(request);
        return () => ({ ...named(world.classId(name)), status: 201 });
      },
    },
    {
      operation: exactly("POST", `${base}/(\\d+)/classes/`),
      judge(request, [setId]) {
        const set = tools.set(setId);
        const name = nameOf(request);
        return () => {
          const id = world.classId(name);
          const status = set.classIds.has(id) ? 200 : 201;
          set.classIds.add(id);
          return { ...named(id), status };
        };
      },
    },
    {
      operation: exactly("PUT", `${base}/(\\d+)/classes/(\\d+)/`),
      judge(request, [setId, classId]) {
        const set = tools.set(setId);
        const before = classOf(set, classId);
        const name = nameOf(request);
        return () => {
          const id = world.classId(name);
          set.classIds.delete(before);
          set.classIds.add(id);
          return named(id);
        };
      },
    },
    {
      operation: exactly("DELETE", `${base}/(\\d+)/classes/(\\d+)/`),
      judge(request, [setId, classId]) {
        noBody(request);
        const set = tools.set(setId);
        const id = classOf(set, classId);
        return () => {
          set.classIds.delete(id);
          return { status: 204 };
        };
      },
    },
  ];
}

function tagRoutes(tools: RouteTools): readonly Route[] {
  const { world } = tools;
  const tagOf = (set: AnnotationSet, text: string | undefined): number => {
    const id = Number(text);
    return set.tags.some(({ tagId }) => tagId === id)
      ? id
      : violated(`annotation set ${set.id} has no tag ${text}`, 404);
  };
  const replace = (set: AnnotationSet, id: number, by: number | undefined): void => {
    const kept = set.tags.flatMap((tag) =>
      tag.tagId !== id ? [tag] : by === undefined ? [] : [{ ...tag, tagId: by }],
    );
    set.tags.splice(0, set.tags.length, ...kept);
  };
  return [
    {
      operation: exactly("GET", `${base}/(\\d+)/tags/`),
      query: ["limit", "offset"],
      judge(request, [setId]) {
        const set = tools.set(setId);
        return () => tools.page(request, named(world.tags, new Set(set.tags.map(({ tagId }) => tagId))));
      },
    },
    {
      operation: exactly("PUT", `${base}/(\\d+)/tags/(\\d+)/`),
      judge(request, [setId, tagId]) {
        const set = tools.set(setId);
        const before = tagOf(set, tagId);
        const name = nameOf(request);
        return () => {
          const id = world.tagId(name);
          replace(set, before, id);
          return { status: 200, body: { id, name } };
        };
      },
    },
    {
      operation: exactly("DELETE", `${base}/(\\d+)/tags/(\\d+)/`),
      judge(request, [setId, tagId]) {
        noBody(request);
        const set = tools.set(setId);
        const id = tagOf(set, tagId);
        return () => {
          replace(set, id, undefined);
          return { status: 204 };
        };
      },
    },
    {
      operation: exactly("POST", `${base}/(\\d+)/images/(\\d+)/tags/`),
      judge(request, [setId, imageId]) {
        const set = tools.set(setId);
        const image = tools.picture(imageId);
        const name = nameOf(request).trim().toLowerCase();
        return () => {
          const tagId = world.tagId(name);
          const there = set.tags.some((tag) => tag.tagId === tagId && tag.imageId === image.id);
          if (!there) set.tags.push({ tagId, imageId: image.id });
          return { status: there ? 200 : 201, body: { id: tagId, name, annotation_set: set.id, image: image.id } };
        };
      },
    },
    {
      operation: exactly("DELETE", `${base}/(\\d+)/images/(\\d+)/tags/(\\d+)/`),
      judge(request, [setId, imageId, tagId]) {
        noBody(request);
        const set = tools.set(setId);
        const image = tools.picture(imageId);
        return () => {
          const at = set.tags.findIndex((tag) => tag.tagId === Number(tagId) && tag.imageId === image.id);
          if (at !== -1) set.tags.splice(at, 1);
          return { status: 204 };
        };
      },
    },
  ];
}

function createSet(tools: RouteTools, request: SandboxRequest): () => SandboxAnswer {
  const json = jsonObjectBody(request.headers["content-type"] ?? "", request.body);
  onlyKeys(json, ["annotation_task", "classes", "dataset_id", "name"], "the annotation set");
  const { annotation_task: task, classes, dataset_id: datasetId } = json;
  const taskName = taskNames.find((known) => known === task) ?? violated(`annotation_task is "${String(task)}"`);
  const texts: readonly unknown[] = Array.isArray(classes) ? classes : violated("classes is no list");
  const names = texts.map((name) => (typeof name === "string" ? name : violated("a class is no text")));
  if (typeof datasetId !== "number") return violated("dataset_id is no number");
  const dataset = tools.dataset(datasetId);
  const name = nameIn({ name: json["name"] });
  if (tools.world.setsOf(dataset.id).some((set) => set.name === name)) {
    // Somebody else may have made it: no fault of the client's.
    return () => ({
      status: 400,
      body: { error: `Annotation set with giving name '${name}', exists in current dataset.` },
    });
  }
  return () => {
    const set = tools.world.addSet(dataset.id, name, taskName, names);
    const classList = named(tools.world.classes, set.classIds);
    return { status: 201, body: { id: set.id, name, task: taskName, dataset_id: dataset.id, classes: classList } };
  };
}

function createOldSet(tools: RouteTools, request: SandboxRequest): () => SandboxAnswer {
  const json = jsonObjectBody(request.headers["content-type"] ?? "", request.body);
  onlyKeys(json, ["task", "classes", "dataset", "name", "type"], "the annotation set");
  const task: RemoTaskName = taskNames[Number(json["task"]) - 1] ?? violated("task is none of 1, 2 and 3");
  if (json["type"] !== "image") violated('type is not "image"');
  const dataset = tools.dataset(typeof json["dataset"] === "number" ? json["dataset"] : Number(json["dataset"]));
  const classes: readonly unknown[] = Array.isArray(json["classes"]) ? json["classes"] : violated("classes is no list");
  const names = classes.map((item) => nameIn(item, ["id", "name"]));
  const name = nameIn({ name: json["name"] });
  return () => {
    const set = tools.world.addSet(dataset.id, name, task, names);
    return { status: 201, body: { ...setBody(tools, set), task: tools.world.taskNumber(task), dataset: dataset.id } };
  };
}

function renameSet(tools: RouteTools, request: SandboxRequest, id: string | undefined): () => SandboxAnswer {
  const set = tools.set(id);
  const name = nameOf(request);
  return () => {
    set.name = name;
    return { status: 200, body: { id: set.id, name } };
  };
}

/** Quoted values, as the document shows them, are refused like any other wrong ones. */
function exportSet(tools: RouteTools, request: SandboxRequest, id: string | undefined): () => SandboxAnswer {
  const set = tools.set(id);
  const { query } = request;
  const format = query.get("annotation_format") ?? "json";
  const coordinates = query.get("export_coordinates") ?? "pixel";
  if (format !== "json" && format !== "coco" && format !== "csv") return violated(`annotation_format is ${format}`);
  if (coordinates !== "pixel" && coordinates !== "percent") return violated(`export_coordinates is ${coordinates}`);
  for (const key of ["full_path", "export_tags"]) {
    if (!["true", "false", null].includes(query.get(key))) violated(`${key} is "${query.get(key)}"`);
  }
  const fullPath = flag(request, "full_path") ?? false;
  // The vendor's client asks for one unless it is told otherwise.
  const zip = tools.switches.zipAlways || (flag(request, "export_tags") ?? true);
  if (format === "coco" && set.task === "Image classification") {
    return () => ({ status: 404, body: { error: "Exporter not implemented" } });
  }
  return () => exported(tools.world, set, { format, coordinates, fullPath, zip });
}

function setBody({ world }: RouteTools, set: AnnotationSet): object {
  const dataset = world.datasets.get(set.datasetId);
  return {
    id: set.id,
    name: set.name,
    released_at: null,
    updated_at: "2026-01-01T00:00:00Z",
    task: { id: world.taskNumber(set.task), name: set.task, type: set.task.toLowerCase().replaceAll(" ", "_") },
    dataset: { id: set.datasetId, name: dataset?.name ?? "" },
    last_annotated_date: null,
    classes: named(world.classes, set.classIds),
    is_last_modified: false,
    type: "image",
    is_public: false,
  };
}

/** As the list of a dataset shows them. */
export function listedSet(tools: RouteTools, set: AnnotationSet): object {
  const { world } = tools;
  return {
    id: set.id,
    name: set.name,
    released_at: null,
    updated_at: "2026-01-01T00:00:00Z",
    task: { id: world.taskNumber(set.task), name: set.task, type: set.task.toLowerCase().replaceAll(" ", "_") },
    total_images: [...world.pictures.values()].filter(({ datasetId }) => datasetId === set.datasetId).length,
    last_annotated_date: null,
    is_public: false,
    is_completed: false,
    statistics: { annotated_images_count: set.annotations.size, top3_classes: [], total_classes: set.classIds.size },
  };
}

function nameOf(request: SandboxRequest): string {
  return nameIn(jsonObjectBody(request.headers["content-type"] ?? "", request.body));
}

function answering(body: () => object): () => SandboxAnswer {
  const value = body();
  return () => ({ status: 200, body: value });
}

export function exactly(method: string, path: string): RegExp {
  return new RegExp(`^${method} ${path}$`);
}
