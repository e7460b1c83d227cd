import type { Json } from "../fixture.ts";
import type { VendorCase, VendorClient } from "../vendor-client.ts";
import { layernextAnswers } from "./answers.ts";

/** The calls of the LayerNext clients that are recorded, by generation of the client. */

const rectangles: Json = {
  images: [
    {
      image: "photo-1.jpg",
      annotations: [
        { bbox: [10.5, 6.25, 30, 12], label: "kitchen", metadata: { name: "bottle" }, confidence: 0.30611335805442985 },
        { bbox: [52, 31, 40, 17], label: "crate", confidence: 0.75 },
      ],
    },
    { image: "photo-2.jpg", annotations: [{ bbox: [5, 40, 11, 50], label: "kitchen", confidence: 0.5 }] },
  ],
};

const outline: Json = [
  [12.25, 8],
  [40, 9.5],
  [38, 30],
  [15, 26.75],
];

function drawn(geometry: "polygon" | "line"): Json {
  const annotation = { [geometry]: outline, label: "kitchen", metadata: { name: "bottle" }, confidence: 0.875 };
  return { images: [{ image: "photo-1.jpg", annotations: [annotation] }] };
}

/** The third generation wants the type in each annotation, and has attributes beside free metadata. */
const typed: Json = {
  images: [
    {
      image: "photo-1.jpg",
      annotations: [
        {
          type: "rectangle",
          bbox: [10.5, 6.25, 30, 12],
          label: "kitchen",
          metadata: { name: "bottle" },
          attributes: { state: [{ value: "open", confidence: 0.5 }] },
          confidence: 0.75,
        },
        { type: "polygon", polygon: outline, label: "kitchen", confidence: 0.5 },
        { type: "line", line: outline, label: "crate", confidence: 0.25 },
      ],
    },
    { image: "photo-2.jpg", annotations: [] },
  ],
};

function folderCase(geometry: string, basePath: string, isModelRun: boolean, annotations: Json): VendorCase {
  const mode = isModelRun ? "modelrun" : "groundtruth";
  const input = { basePath, operationId: "test model v1.0.1", geometry, isNormalized: false, isModelRun, annotations };
  const flags = isModelRun ? "False, True" : "False, False";
  return {
    name: `${mode}-${geometry}${basePath.endsWith("/") ? "-base-path-with-slash" : ""}`,
    call: `client.upload_annoations_for_folder("${basePath}", "test model v1.0.1", "annotations.json", "${geometry}", ${flags})`,
    operation: "upload_annoations_for_folder",
    input,
  };
}

const folderCases: readonly VendorCase[] = [
  folderCase("rectangle", "dock-3", true, rectangles),
  folderCase("polygon", "dock-3", true, drawn("polygon")),
  folderCase("line", "dock-3", true, drawn("line")),
  folderCase("rectangle", "dock-3", false, rectangles),
  folderCase("rectangle", "path1/path2/", true, rectangles),
];

function upload(operation: string, files: readonly string[], storageType?: string): VendorCase {
  const path = files.length === 1 ? "photo-1.jpg" : "folder";
  const kind = operation === "file_upload" ? "5" : '"image"';
  return {
    name: `${files.length === 1 ? "upload-one-file" : "upload-folder"}${storageType === undefined ? "" : `-${storageType}`}`,
    call: `client.${operation}("${path}", ${kind}, "dock-3", {"device": "gw-07"}, False)`,
    operation,
    input: {
      files,
      collection: "dock-3",
      metadata: { device: "gw-07" },
      override: false,
      ...(storageType === undefined ? {} : { storageType }),
    },
  };
}

const jobCases: readonly VendorCase[] = [
  {
    name: "wait-for-job",
    call: 'client.wait_for_job_complete("job-1")',
    operation: "wait_for_job_complete",
    input: { jobId: "job-1" },
  },
  {
    name: "upload-progress",
    call: 'client.get_upload_status("dock-3")',
    operation: "get_upload_status",
    input: { collection: "dock-3" },
  },
];

const common = { operationId: "yolo-dock v2", isNormalized: false, isModelRun: true, annotations: typed };

const thirdGeneration: readonly VendorCase[] = [
  {
    name: "modelrun-by-job",
    call: 'client.upload_annotations_by_job_id("job-1", "yolo-dock v2", "annotations.json", False, True)',
    operation: "upload_annotations_by_job_id",
    input: { jobId: "job-1", ...common },
  },
  {
    name: "groundtruth-by-job",
    call: 'client.upload_annotations_by_job_id("job-1", "yolo-dock v2", "annotations.json", False, False)',
    operation: "upload_annotations_by_job_id",
    input: { jobId: "job-1", ...common, isModelRun: false },
  },
  {
    name: "modelrun-by-collection",
    call: 'client.upload_annotations_for_collection("dock-3", "yolo-dock v2", "annotations.json", False, True)',
    operation: "upload_annotations_for_collection",
    input: { collection: "dock-3", ...common },
  },
  {
    name: "modelrun-by-unique-name",
    call: 'client.upload_annotations_by_unique_name("yolo-dock v2", "annotations.json", True, True)',
    operation: "upload_annotations_by_unique_name",
    input: { ...common, isNormalized: true },
  },
  {
    name: "modelrun-by-storage-path",
    call: 'client.upload_annotations_by_storage_path("yolo-dock v2", "annotations.json", False, True, "bucket-1")',
    operation: "upload_annotations_by_storage_path",
    input: { ...common, bucketName: "bucket-1" },
  },
  {
    name: "upload-with-modelrun",
    call: 'client.upload_files_to_collection("photo-1.jpg", "image", "dock-3", {}, False, annotation_data={…})',
    operation: "upload_files_with_annotations",
    input: { files: ["photo-1.jpg"], collection: "dock-3", metadata: {}, override: false, ...common },
  },
  {
    name: "create-label",
    call: 'client.create_system_label({"className": "kitchen", "attributes": []})',
    operation: "create_system_label",
    input: { label: { className: "kitchen", attributes: [] } },
  },
];

const onePhoto = ["photo-1.jpg"];
const twoPhotos = ["photo-1.jpg", "photo-2.jpg"];

/** The spelling of the storage types changed with the third generation. */
function client(packageName: string, version: string, cases: readonly VendorCase[]): VendorClient {
  const storageType = version.startsWith("3.") ? "aws_s3" : "AWS_S3";
  return {
    kind: "layernext",
    id: `${packageName}-${version}`,
    name: `${packageName} ${version}`,
    language: "python",
    driver: "driver.py",
    cases,
    answers: (input) => layernextAnswers((input as { storageType?: string }).storageType ?? storageType),
  };
}

const uploads = [upload("upload_files_to_collection", onePhoto), upload("upload_files_to_collection", twoPhotos)];

export const layernextClients: readonly VendorClient[] = [
  client("layerx-sdk-beta", "0.0.21b0", [...folderCases, upload("file_upload", onePhoto)]),
  client("layernext", "1.1.1", [...folderCases, ...uploads, ...jobCases]),
  client("layernext", "2.3.4", [...folderCases.slice(0, 1), ...thirdGeneration, ...uploads, ...jobCases]),
  client("layernext-beta", "3.28.14", [
    ...folderCases.slice(0, 4),
    ...thirdGeneration,
    ...uploads,
    upload("upload_files_to_collection", onePhoto, "gcs"),
    upload("upload_files_to_collection", onePhoto, "azure_blob"),
    ...jobCases,
  ]),
];
