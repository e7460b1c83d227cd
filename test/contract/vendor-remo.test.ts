import { describe } from "mocha";

import { RemoClient } from "../../src/targets/remo/client.ts";
import { remoCsv } from "../../src/targets/remo/encode.ts";
import type { RemoFile, RemoTask, UploadOptions } from "../../src/targets/remo/uploads.ts";
import { describeComparison, type Occasion } from "../vendor-clients/comparison.ts";
import type { StatedDifference } from "../vendor-clients/differences.ts";
import type { Fixture } from "../vendor-clients/fixture.ts";

interface Input {
  readonly name: string;
  readonly files: readonly string[];
  readonly dataset_id: number;
  readonly annotation_set_id: number;
  readonly image_id: number;
  readonly folder_id?: number;
  readonly annotation_task?: RemoTask;
  readonly paths_to_upload: readonly string[];
  readonly local_files?: readonly string[];
  readonly urls?: readonly string[];
  readonly csv?: string;
  readonly classes: readonly string[];
  readonly boxes?: readonly Labelled<{ readonly box: readonly number[] }>[];
  readonly outlines?: readonly Labelled<{
    readonly outline: readonly number[];
  }>[];
  readonly labels?: readonly Labelled<object>[];
  readonly annotation_format?: "coco";
  readonly limit: number;
  readonly url: string;
}

type Labelled<T> = T & {
  readonly image: string;
  readonly label: string | readonly string[];
};

interface Call {
  readonly client: RemoClient;
  readonly given: Input;
  readonly occasion: Occasion;
}

async function drive(fixture: Fixture, occasion: Occasion): Promise<unknown> {
  const { url, link, signal } = occasion;
  const given = fixture.input as unknown as Input;
  const client = new RemoClient({ url, email: "edge@site.example", password: "test-password" }, link);
  const { dataset_id: datasetId, annotation_set_id: setId } = given;
  switch (fixture.operation) {
    case "api.create_dataset":
      return client.createDataset(given.name, signal);
    case "create_dataset":
      return createWithFiles({ client, given, occasion });
    case "add_data_to_dataset":
      return addData({ client, given, occasion });
    case "dataset.add_annotations":
      return addAnnotations({ client, given, occasion });
    case "create_annotation_set":
      return client.sets.create(
        {
          datasetId,
          name: given.name,
          annotationTask: "Object detection",
          classes: given.classes,
        },
        signal,
      );
    case "list_annotation_sets":
      return client.sets.listPage(datasetId, undefined, signal);
    case "get_annotation_set":
      return client.sets.get(setId, signal);
    case "list_annotation_set_classes":
      return client.sets.listClasses(setId, signal);
    case "api.export_annotations":
      return client.sets.export(setId, exportOptions(given), signal);
    default:
      return read(fixture.operation, { client, given, occasion });
  }
}

async function read(operation: string, { client, given, occasion: { signal } }: Call): Promise<unknown> {
  const { dataset_id: datasetId, annotation_set_id: setId } = given;
  switch (operation) {
    case "list_datasets":
      return client.listDatasets({}, signal);
    case "get_dataset":
      return client.dataset(datasetId, signal);
    case "list_dataset_images":
      return client.images(datasetId, signal, given.limit).next();
    case "get_image_content":
      return client.imageFile({ id: 7, name: "photo-1.jpg", width: 96, height: 54, url: given.url }, signal);
    case "api.list_dataset_contents_by_folder":
      return client.contents(datasetId, { folderId: given.folder_id, limit: given.limit }, signal);
    case "get_annotation_info":
      return client.sets.annotationOf(datasetId, setId, given.image_id, signal);
    default:
      throw new Error(`unknown operation ${operation}`);
  }
}

async function createWithFiles({ client, given, occasion }: Call): Promise<void> {
  const { id } = await client.createDataset(given.name, occasion.signal);
  await session({ client, given, occasion }, id, (sessionId) =>
    client.uploads.files(
      id,
      given.files.map((name) => photoFile(name, occasion)),
      { sessionId },
      occasion.signal,
    ),
  );
  await client.dataset(id, occasion.signal);
}

async function addData({ client, given, occasion }: Call): Promise<void> {
  const { signal } = occasion;
  const { dataset_id: datasetId, annotation_task: annotationTask, folder_id: folderId, local_files, urls } = given;
  let annotationSetId: number | undefined = given.annotation_set_id;
  if (annotationTask !== undefined && !("annotation_set_id" in given)) {
    await client.sets.listPage(datasetId, undefined, signal);
    annotationSetId = 3;
  }
  await session({ client, given, occasion }, datasetId, (sessionId) => {
    const options: UploadOptions = {
      sessionId,
      annotationTask,
      folderId,
      annotationSetId,
    };
    if (local_files !== undefined || urls !== undefined) {
      return client.uploads.link(datasetId, { localFiles: local_files ?? [], urls: urls ?? [] }, options, signal);
    }
    const csv = {
      name: "annotations.csv",
      bytes: Buffer.from(given.csv ?? ""),
    };
    const files = given.paths_to_upload.map((name) => (name === csv.name ? csv : photoFile(name, occasion)));
    return client.uploads.files(datasetId, files, options, signal);
  });
}

async function addAnnotations({ client, given, occasion }: Call): Promise<void> {
  const { dataset_id: datasetId, annotation_set_id: annotationSetId } = given;
  await client.dataset(datasetId, occasion.signal);
  const { task } = await client.sets.get(annotationSetId, occasion.signal);
  await session({ client, given, occasion }, datasetId, (sessionId) => {
    const annotationTask = task as RemoTask;
    const csv = {
      name: "annotations.csv",
      bytes: remoCsv(annotationTask, rowsOf(given)),
    };
    return client.uploads.files(datasetId, [csv], { sessionId, annotationSetId, annotationTask }, occasion.signal);
  });
}

function rowsOf({ boxes = [], outlines = [], labels = [] }: Input): readonly (readonly (string | number)[])[] {
  const name = (label: string | readonly string[]): string => (typeof label === "string" ? label : label.join(";"));
  return [
    ...boxes.map(({ image, label, box }) => [image, name(label), ...box]),
    ...outlines.map(({ image, label, outline }) => [image, name(label), outline.join("; ")]),
    ...labels.map(({ image, label }) => [image, name(label)]),
  ];
}

/** Opens a session, uploads, completes it, and asks until it is done. */
async function session(
  { client, occasion: { signal } }: Call,
  datasetId: number,
  upload: (sessionId: string) => Promise<unknown>,
): Promise<void> {
  const sessionId = await client.uploads.openSession(datasetId, signal);
  await upload(sessionId);
  await client.uploads.completeSession(sessionId, signal);
  for (let state = ""; state !== "done";) state = (await client.uploads.sessionStatus(sessionId, signal))?.state ?? "";
}

function photoFile(name: string, { photo }: Occasion): RemoFile {
  return { name, bytes: photo(name), contentType: "image/jpeg" };
}

function exportOptions({ annotation_format: format }: Input) {
  return format === undefined
    ? ({
        annotationFormat: "json",
        fullPath: true,
        exportCoordinates: "pixel",
        exportTags: true,
      } as const)
    : ({
        annotationFormat: format,
        fullPath: false,
        exportCoordinates: "percent",
        exportTags: false,
      } as const);
}

const order = "files";
const stated: readonly StatedDifference[] = [
  {
    where: "* POST /api/rest-auth/login/ headers.accept",
    ours: "application/json",
    theirs: "*/*",
    why: "The client leaves the form of the answer open; ours reads JSON.",
  },
  {
    where: "* headers.accept",
    ours: "application/json, */*;q=0.5",
    theirs: "*/*",
    why: "The same; exports and pictures are not JSON.",
  },
  {
    where: "add-* missing GET /api/v1/ui/annotation-sets/*/",
    why: "The client reads the set twice.",
  },
  {
    where: "add-* POST /api/dataset/4/upload/ body.parts.files.filename",
    ours: "annotations.csv",
    theirs: "<random>.csv",
    why: "The client names the file as Python names a temporary file.",
  },
  {
    where: "upload-files-to-folder POST * body.parts.folder_id",
    ours: { name: "folder_id", text: "9" },
    theirs: undefined,
    why: "The document has the folder in the body, the client in the query: ours says it in both.",
  },
  {
    where: "upload-files-to-folder POST * body.order",
    ours: `session_id, folder_id, ${order}, ${order}`,
    theirs: `session_id, ${order}, ${order}`,
    why: "The same part.",
  },
  {
    where: "link-urls POST * query.folder_id",
    ours: "9",
    theirs: undefined,
    why: "The document has the folder in the query, the client in the body: ours says it in both.",
  },
  {
    where: "export-coco GET * query.filter_by_tags",
    ours: undefined,
    theirs: "night,rain & fog",
    why: "The document knows three parameters; this one is the client's.",
  },
  {
    where: "list-images GET * query.offset",
    ours: undefined,
    theirs: "20",
    why: "Ours begins with the first image and follows the server's link to the next page.",
  },
  {
    where: "folder-contents missing GET /api/user-dataset/4/contents/9/",
    why: "An older address of what the document has under /api/v1/ui.",
  },
  {
    where: "folder-contents extra GET /api/v1/ui/datasets/4/contents/9/",
    why: "The document's address.",
  },
];

const encoding = "class encodings translate the labels of foreign annotation files; ours are the names themselves";
const notInDocument = "not an operation of the document";

describe("remo", () => {
  describeComparison({
    kind: "remo",
    client: "remo-python-0.1.14",
    drive,
    stated,
    notOurs: {
      "upload-csv-with-class-encoding": encoding,
      "save-annotation": "reads, changes and writes without a version; annotations go in a CSV instead",
      "search-images": "ours looks for one file name",
      "get-image": notInDocument,
      "delete-dataset": notInDocument,
    },
  });
});
