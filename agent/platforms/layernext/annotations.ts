import type { Geometry } from "../../../src/targets/layernext/annotations.ts";
import { parseAnnotationFile } from "../../../src/targets/layernext/annotation-file.ts";
import { uploadAnnotatedFiles, type ImagesPlace } from "../../../src/targets/layernext/annotation-upload.ts";
import type { AnnotationUpload, LayernextClient } from "../../../src/targets/layernext/client.ts";
import { modelName, textOption } from "./options.ts";
import type { Operation, OperationArgument, OperationCall, OperationOption } from "../platform.ts";
import { usageError } from "../run-operation.ts";

/** Annotations from a JSON file, for images that the server has. */

const geometries: readonly Geometry[] = ["rectangle", "polygon", "line", "points"];

const given: readonly OperationArgument[] = [
  { name: "collection", description: "collection base path; with --job a job's id, with the others anything" },
  { name: "model-id", description: "name of the model run" },
  { name: "file", description: "JSON with images and their annotations" },
  {
    name: "geometry",
    description: `${geometries.join(", ")}: of annotations that do not say their type`,
    optional: true,
  },
];

const options: readonly OperationOption[] = [
  { flags: "--normalized", description: "coordinates are fractions of the image instead of pixels" },
  {
    flags: "--metadata <reading>",
    description: "whether metadata is free, or attributes of the label (default: attributes where a geometry is given)",
    choices: ["free", "attributes"],
  },
  { flags: "--job", description: "images are file names of an upload, whose job stands in place of the collection" },
  { flags: "--unique-name", description: "images are unique names" },
  { flags: "--storage-path", description: "images are paths in a bucket" },
  { flags: "--bucket <name>", description: "which bucket, with --storage-path" },
];

export const layernextAnnotations: readonly Operation<LayernextClient>[] = [
  {
    name: "upload-modelrun",
    summary: "send what a model found on images that the server has",
    document: "upload_modelrun_from_json",
    arguments: given,
    options,
    run: (call) => uploadAnnotations(call, "modelRun"),
  },
  {
    name: "upload-ground-truth",
    summary: "send what people found on them",
    arguments: given,
    options,
    run: (call) => uploadAnnotations(call, "groundTruth"),
  },
];

async function uploadAnnotations(
  { client, args, options, read, progress, signal, seams }: OperationCall<LayernextClient>,
  kind: AnnotationUpload["kind"],
): Promise<object> {
  const operationId = modelName(args[1]);
  const geometry = geometryOf(args[3]);
  const metadata = textOption(options, "metadata") ?? (geometry === undefined ? "free" : "attributes");
  const json = await read(String(args[2]));
  const files = parseAnnotationFile(json, { geometry, metadata: metadata === "free" ? "free" : "attributes" });
  const upload = {
    operationId,
    kind,
    files,
    place: placeOf(String(args[0]), options),
    isNormalized: options["normalized"] === true,
    nowMs: seams.clock.nowMs(),
    onProgress: (done: number, total: number) => progress(done, total, "images"),
  };
  await uploadAnnotatedFiles(client, upload, signal);
  const annotations = files.reduce((sum, file) => sum + file.annotations.length, 0);
  return { operationId, images: files.length, annotations };
}

function geometryOf(text: unknown): Geometry | undefined {
  if (text === undefined) return undefined;
  const known = geometries.find((geometry) => geometry === text);
  if (known === undefined) throw usageError(`the geometry is none of ${geometries.join(", ")}`);
  return known;
}

function placeOf(first: string, options: OperationCall<unknown>["options"]): ImagesPlace {
  const ways = ["job", "uniqueName", "storagePath"].filter((name) => options[name] === true);
  if (ways.length > 1) throw usageError("only one of --job, --unique-name and --storage-path");
  switch (ways[0]) {
    case "job":
      return { by: "job", jobId: first };
    case "uniqueName":
      return { by: "unique-name" };
    case "storagePath":
      return { by: "storage-path", bucket: textOption(options, "bucket") ?? null };
    default:
      return { by: "collection", collection: first };
  }
}
