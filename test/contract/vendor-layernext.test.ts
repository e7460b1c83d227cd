import { randomUUID } from "node:crypto";

import { describe } from "mocha";

import { parseAnnotationFile } from "../../src/targets/layernext/annotation-file.ts";
import { type Geometry, type ImageAddress, wantedLabels } from "../../src/targets/layernext/annotations.ts";
import type { LayernextAccess } from "../../src/targets/layernext/api.ts";
import { LayernextClient } from "../../src/targets/layernext/client.ts";
import { objectKeyOf } from "../../src/targets/layernext/generation.ts";
import { describeComparison, type Occasion } from "../vendor-clients/comparison.ts";
import type { StatedDifference } from "../vendor-clients/differences.ts";
import type { Fixture, Json } from "../vendor-clients/fixture.ts";

interface Input {
  readonly annotations: Json;
  readonly operationId: string;
  readonly geometry?: Geometry;
  readonly isNormalized: boolean;
  readonly isModelRun: boolean;
  readonly basePath?: string;
  readonly collection: string;
  readonly bucketName?: string;
  readonly jobId: string;
  readonly files: readonly string[];
  readonly metadata: Readonly<Record<string, Json>>;
  readonly override: boolean;
  readonly label: { readonly className: string };
}

interface Call {
  readonly client: LayernextClient;
  readonly given: Input;
  readonly occasion: Occasion;
}

function drivenAs(api: Pick<LayernextAccess, "api" | "basePath">) {
  return async (fixture: Fixture, occasion: Occasion): Promise<unknown> => {
    const credentials = {
      apiKey: "test-key",
      secret: "test-secret",
      otherStorage: "unproven",
    } as const;
    const client = new LayernextClient({ url: occasion.url, ...credentials, ...api }, occasion.link);
    return drive(fixture.operation, {
      client,
      given: fixture.input as unknown as Input,
      occasion,
    });
  };
}

async function drive(operation: string, call: Call): Promise<unknown> {
  const { client, given, occasion } = call;
  switch (operation) {
    case "upload_annoations_for_folder":
    case "upload_annotations_for_collection":
    case "upload_annotations_by_unique_name":
    case "upload_annotations_by_storage_path":
    case "upload_annotations_by_job_id":
      return uploadAnnotations(operation, call);
    case "file_upload":
    case "upload_files_to_collection":
      return uploadFiles(call);
    case "upload_files_with_annotations":
      await uploadFiles(call);
      await waitForJob("job-1", call);
      return uploadAnnotations("upload_annotations_by_job_id", {
        ...call,
        given: { ...given, jobId: "job-1" },
      });
    case "wait_for_job_complete":
      return waitForJob(given.jobId, call);
    case "get_upload_status":
      return client.images.progress(given.collection, occasion.signal);
    case "create_system_label":
      return client.createLabel(given.label.className, "", occasion.signal);
    default:
      throw new Error(`unknown operation ${operation}`);
  }
}

async function uploadAnnotations(operation: string, { client, given, occasion: { signal } }: Call): Promise<void> {
  const isOldCall = operation === "upload_annoations_for_folder";
  const json = Buffer.from(JSON.stringify(given.annotations));
  const files = parseAnnotationFile(json, {
    geometry: given.geometry,
    metadata: isOldCall ? "attributes" : "free",
  });
  // From the second generation on a collection is known by its name, and its own path begins the keys.
  const name = isOldCall ? given.basePath : given.collection;
  const isLookedUp = client.generation.addressesJobs && (isOldCall || operation.endsWith("_collection"));
  const collectionId = isLookedUp ? await client.collectionId(name ?? "", signal) : undefined;
  const references = await client.labelReferences(wantedLabels(files.flatMap((file) => file.annotations)), signal);
  const base = collectionId === undefined ? name : await storagePathOf(client, collectionId, signal);
  const images = files.map(({ image, annotations }) => ({
    address: addressOf(image, operation, { client, given, base }),
    annotations,
    newId: () => randomUUID(),
  }));
  const { operationId, isNormalized } = given;
  const kind = given.isModelRun ? "modelRun" : "groundTruth";
  await client.uploadAnnotations({ operationId, kind, images, references, isNormalized, nowMs: Date.now() }, signal);
}

async function storagePathOf(client: LayernextClient, collectionId: string, signal: AbortSignal): Promise<string> {
  return String((await client.collectionDetails(collectionId, signal))["storagePath"]);
}

function addressOf(
  image: string,
  operation: string,
  { client, given, base }: { client: LayernextClient; given: Input; base: string | undefined },
): ImageAddress {
  switch (operation) {
    case "upload_annotations_by_job_id":
      return { by: "job", jobId: given.jobId, fileName: image };
    case "upload_annotations_by_storage_path":
      return {
        by: "path",
        storagePath: image,
        bucketName: given.bucketName ?? null,
      };
    case "upload_annotations_by_unique_name":
      return { by: "key", objectKey: image };
    default:
      return {
        by: "key",
        objectKey: objectKeyOf(client.generation, base ?? "", image),
      };
  }
}

async function uploadFiles({ client: { images }, given, occasion: { photo, signal } }: Call): Promise<void> {
  const { files, collection, metadata, override: overrideMetadata } = given;
  const upload = await images.begin({ collection, fileNames: files, metadata, overrideMetadata }, signal);
  for (const fileName of files) {
    const file = await images.initialize(upload, fileName, signal);
    if (file.kind !== "open") throw new Error(`the file is ${file.kind}`);
    const signedUrl = await images.signedUrl(file, signal);
    const etag = await images.put(upload, signedUrl, photo(fileName), signal);
    await images.finalize(upload, { ...file, etag }, signedUrl, signal);
  }
  await images.complete(upload, files.length, signal);
}

async function waitForJob(jobId: string, { client, occasion: { signal } }: Call): Promise<void> {
  for (let status = ""; status !== "completed";) ({ status } = await client.jobStatus(jobId, signal));
}

const handshake: StatedDifference = {
  where: "* missing GET /datalake/api/client/sdk/compatibility/*",
  why: "The client asks whether the server takes its own version: nothing that another client could be told.",
};

describe("LayerNext", () => {
  const kind = "layernext";
  describeComparison({
    kind,
    client: "layerx-sdk-beta-0.0.21b0",
    drive: drivenAs({ api: "layerx" }),
    stated: [],
  });
  describeComparison({
    kind,
    client: "layernext-1.1.1",
    drive: drivenAs({ api: "1.x" }),
    stated: [handshake],
  });
  describeComparison({
    kind,
    client: "layernext-2.3.4",
    drive: drivenAs({ api: "3.x", basePath: "/datalake" }),
    stated: [handshake],
  });
  describeComparison({
    kind,
    client: "layernext-beta-3.28.14",
    drive: drivenAs({ api: "3.x" }),
    stated: [],
  });
});
