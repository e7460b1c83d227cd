import { randomUUID } from "node:crypto";
import { AgentError } from "../../core/errors.ts";
import { type AnnotatedImage, type ImageAddress, wantedLabels } from "./annotations.ts";
import type { AnnotatedFile } from "./annotation-file.ts";
import type { AnnotationUpload, LayernextClient } from "./client.ts";
import { labelUnknown } from "./encode.ts";
import { objectKeyOf } from "./generation.ts";
import { wire } from "./names.ts";

/** Where the server has the images of a file of annotations, and what `image` means in it. */
export type ImagesPlace =
  /** File names within a collection; before 2.x, its base path. */
  | { readonly by: "collection"; readonly collection: string }
  /** File names of one upload. */
  | { readonly by: "job"; readonly jobId: string }
  | { readonly by: "unique-name" }
  /** Paths within a bucket. */
  | { readonly by: "storage-path"; readonly bucket: string | null };

export interface FileUpload extends Pick<
  AnnotationUpload,
  "operationId" | "kind" | "isNormalized" | "nowMs" | "onProgress"
> {
  readonly place: ImagesPlace;
  readonly files: readonly AnnotatedFile[];
}

/**
 * Annotations as a person has them in a file: looks up what is needed, in the order of the vendor's clients, and sends
 * them. Fails with `LABEL_UNKNOWN` before anything is sent.
 */
export async function uploadAnnotatedFiles(
  client: LayernextClient,
  { place, files, ...upload }: FileUpload,
  signal: AbortSignal,
): Promise<void> {
  if (place.by === "job" && !client.generation.addressesJobs) {
    throw new AgentError("USAGE_PLATFORM", "this generation of LayerNext does not find images by their job", {
      disposition: "fatal",
    });
  }
  const isLookedUp = place.by === "collection" && client.generation.addressesJobs;
  const collection = place.by === "collection" ? place.collection : "";
  const collectionId = isLookedUp ? await client.collectionId(collection.replace(/\/+$/, ""), signal) : undefined;
  const wanted = wantedLabels(files.flatMap(({ annotations }) => annotations));
  const references = wanted.size === 0 ? new Map() : await client.labelReferences(wanted, signal);
  const unknown = [...wanted.keys()].filter((label) => !references.has(label));
  if (unknown.length > 0) throw labelUnknown(unknown);
  const basePath = collectionId === undefined ? collection : await storagePathOf(client, collectionId, signal);
  const images = files.map(({ image, annotations }): AnnotatedImage => {
    const address = addressOf(image, place, (name) => objectKeyOf(client.generation, basePath, name));
    return { address, annotations, newId: randomUUID };
  });
  await client.uploadAnnotations({ ...upload, images, references }, signal);
}

async function storagePathOf(client: LayernextClient, collectionId: string, signal: AbortSignal): Promise<string> {
  const { [wire.storagePath]: storagePath } = await client.collectionDetails(collectionId, signal);
  if (typeof storagePath === "string") return storagePath;
  throw new AgentError("PLATFORM_FAILED", `LayerNext tells no ${wire.storagePath} of collection ${collectionId}`, {
    disposition: "retry",
  });
}

function addressOf(image: string, place: ImagesPlace, keyOf: (name: string) => string): ImageAddress {
  switch (place.by) {
    case "collection":
      return { by: "key", objectKey: keyOf(image) };
    case "job":
      return { by: "job", jobId: place.jobId, fileName: image };
    case "unique-name":
      return { by: "key", objectKey: image };
    case "storage-path":
      return { by: "path", storagePath: image, bucketName: place.bucket };
  }
}
