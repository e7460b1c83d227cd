import { basename } from "node:path";
import type { CustomVisionClient } from "../../../src/targets/customvision/client.ts";
import { customVisionLimits } from "../../../src/targets/customvision/limits.ts";
import type { CreatedImage, ImageCreateSummary, ImageFile } from "../../../src/targets/customvision/models.ts";
import { base64Bytes } from "../../../src/link/payload.ts";
import {
  annotationsFor,
  batchOptions,
  idList,
  imageTagPair,
  metadataPair,
  regionsByImage,
  tagsByImage,
  wholeNumber,
} from "./values.ts";
import type { Operation, OperationCall, OperationOption } from "../platform.ts";
import { patiently } from "../../pull/patience.ts";
import { usageError } from "../run-operation.ts";

/** The nine operations of the user's document. */

type Call = OperationCall<CustomVisionClient>;

/** A request of the size that the daemon sends too. */
const base64BytesMax = 8 * 1024 * 1024;

const tagIdsOption: OperationOption = {
  flags: "--tag-ids <ids>",
  description: "tags for all images, ids with commas; at most 20",
  parse: idList,
  document: "tagIds",
};
const imageTagsOption: OperationOption = {
  flags: "--image-tags <json>",
  description: 'tags of single images, for example \'{"a.jpg":["<tag id>"]}\'',
  parse: tagsByImage,
  document: "TagIds",
};
const regionsOption: OperationOption = {
  flags: "--regions <json>",
  description:
    'v3.3: boxes, for example \'{"a.jpg":[{"tagId":"<id>","left":0.1,"top":0.2,"width":0.4,"height":0.4}]}\'',
  parse: regionsByImage,
};
const metadataOption: OperationOption = {
  flags: "--metadata <pair>",
  description: "v3.3: KEY=VALUE for all images, any number of times up to 10",
  parse: metadataPair,
};
const iterationOption: OperationOption = {
  flags: "--iteration-id <id>",
  description: "of this iteration instead of the workspace",
  document: "iterationId",
};
const listOptions: readonly OperationOption[] = [
  iterationOption,
  {
    flags: "--order-by <order>",
    description: "Newest first is usual",
    choices: ["Newest", "Oldest"],
    document: "orderBy",
  },
  { flags: "--take <n>", description: "1 to 256, else 50", parse: wholeNumber, document: "take" },
  { flags: "--skip <n>", description: "begin behind so many", parse: wholeNumber, document: "skip" },
];
const imageIds = { name: "image-id", description: "ids of images", many: true } as const;

const createImagesFromData: Operation<CustomVisionClient> = {
  name: "create-images-from-data",
  summary: "add images as they are, all with the same tags",
  document: "createImagesFromData",
  arguments: [{ name: "file", description: "JPEG, PNG, GIF or BMP of at most 6 MB", many: true }],
  options: [
    tagIdsOption,
    {
      flags: "--form <form>",
      description: "multipart takes 64 images a request, octet-stream one",
      choices: ["multipart", "octet-stream"],
      document: "Content-Type",
    },
  ],
  async run(call) {
    const files = listOf(call, 0);
    const form = call.options["form"] === "octet-stream" ? "octet-stream" : "multipart";
    const { tagIds = [] } = batchOptions(call.options);
    const { client, signal } = call;
    const most = form === "multipart" ? customVisionLimits.imagesPerRequest : 1;
    return inBatches(call, files, most, async (part) => {
      const images = await Promise.all(
        part.map(async (file) => ({ name: basename(file), bytes: await call.read(file) })),
      );
      return client.createImagesFromData(images, { tagIds, form }, signal);
    });
  },
};

const createImagesFromFiles: Operation<CustomVisionClient> = {
  name: "create-images-from-files",
  summary: "add images as base64, each with its own tags and boxes",
  document: "createImagesFromFiles",
  arguments: [{ name: "file", description: "JPEG, PNG, GIF or BMP of at most 6 MB", many: true }],
  options: [tagIdsOption, imageTagsOption, regionsOption, metadataOption],
  async run(call) {
    const { client, options, signal, progress, seams } = call;
    const files = listOf(call, 0);
    const results: CreatedImage[] = [];
    for await (const images of fileBatches(files, call)) {
      const send = () => client.createImagesFromFiles(images, batchOptions(options), signal);
      const summary = await patiently(send, seams, signal);
      results.push(...summary.images);
      progress(results.length, files.length, "images");
    }
    return summaryOf(call, results);
  },
};

const createImagesFromPredictions: Operation<CustomVisionClient> = {
  name: "create-images-from-predictions",
  summary: "add images that the prediction endpoint has stored",
  document: "createImagesFromPredictions",
  arguments: [{ name: "prediction-id", description: "ids of predicted images", many: true }],
  options: [tagIdsOption, imageTagsOption, regionsOption, metadataOption],
  run: (call) =>
    inBatches(call, listOf(call, 0), customVisionLimits.imagesPerRequest, async (ids) => {
      const images = ids.map((id) => ({ id, ...annotationsFor(id, call.options) }));
      return call.client.createImagesFromPredictions(images, batchOptions(call.options), call.signal);
    }),
};

const createImagesFromUrls: Operation<CustomVisionClient> = {
  name: "create-images-from-urls",
  summary: "add images that the service fetches by itself",
  document: "createImagesFromUrls",
  arguments: [{ name: "url", description: "addresses that the service can reach", many: true }],
  options: [tagIdsOption, imageTagsOption, regionsOption, metadataOption],
  run: (call) =>
    inBatches(call, listOf(call, 0), customVisionLimits.imagesPerRequest, async (urls) => {
      const images = urls.map((url) => ({ url, ...annotationsFor(url, call.options) }));
      return call.client.createImagesFromUrls(images, batchOptions(call.options), call.signal);
    }),
};

const deleteImageTags: Operation<CustomVisionClient> = {
  name: "delete-image-tags",
  summary: "take tags from images",
  document: "deleteImageTags",
  arguments: [imageIds],
  options: [
    {
      flags: "--tag-ids <ids>",
      description: "ids with commas; at most 20",
      required: true,
      parse: idList,
      document: "tagIds",
    },
  ],
  async run(call) {
    const [ids, { tagIds = [] }] = [listOf(call, 0), batchOptions(call.options)];
    await call.client.deleteImageTags(ids, tagIds, call.signal);
    return { images: ids.length, tags: tagIds.length };
  },
};

const deleteImages: Operation<CustomVisionClient> = {
  name: "delete-images",
  summary: "delete up to 256 images; the flags that delete everything do not exist here",
  document: "deleteImages",
  arguments: [imageIds],
  async run(call) {
    const ids = listOf(call, 0);
    await call.client.deleteImages(ids, call.signal);
    return { deleted: ids.length };
  },
};

const getTaggedImages: Operation<CustomVisionClient> = {
  name: "get-tagged-images",
  summary: "a page of images with tags, and their boxes in v3.3",
  document: "getTaggedImages",
  options: [{ ...tagIdsOption, description: "only images with any of these, ids with commas" }, ...listOptions],
  run: ({ client, options, signal }) => client.getTaggedImages(options, signal),
};

const getUntaggedImages: Operation<CustomVisionClient> = {
  name: "get-untagged-images",
  summary: "a page of images without tags",
  document: "getUntaggedImages",
  options: listOptions,
  run: ({ client, options, signal }) => client.getUntaggedImages(options, signal),
};

const postImageTags: Operation<CustomVisionClient> = {
  name: "post-image-tags",
  summary: "give images tags, up to 128 pairs",
  document: "postImageTags",
  arguments: [{ name: "pair", description: "IMAGE_ID=TAG_ID", many: true }],
  run: (call) => call.client.postImageTags(listOf(call, 0).map(imageTagPair), call.signal),
};

export const documentOperations: readonly Operation<CustomVisionClient>[] = [
  createImagesFromData,
  createImagesFromFiles,
  createImagesFromPredictions,
  createImagesFromUrls,
  deleteImageTags,
  deleteImages,
  getTaggedImages,
  getUntaggedImages,
  postImageTags,
];

export function listOf({ args }: Call, at: number): readonly string[] {
  const value = args[at];
  return typeof value === "string" ? [value] : (value ?? []);
}

/** Many more than one request takes, with a bar; patient, as the service takes ten requests a second. */
async function inBatches(
  call: Call,
  items: readonly string[],
  most: number,
  create: (part: readonly string[]) => Promise<ImageCreateSummary>,
): Promise<ImageCreateSummary> {
  const results: CreatedImage[] = [];
  for (let at = 0; at < items.length; at += most) {
    const { images } = await patiently(() => create(items.slice(at, at + most)), call.seams, call.signal);
    results.push(...images);
    call.progress(Math.min(at + most, items.length), items.length, "images");
  }
  return summaryOf(call, results);
}

/** By count and by size, each file read only when its turn comes. */
async function* fileBatches(files: readonly string[], { read, options }: Call): AsyncGenerator<readonly ImageFile[]> {
  const names = files.map((file) => basename(file));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw usageError(`two files are named ${twice}; answers are told apart by the name`);
  let batch: ImageFile[] = [];
  let bytes = 0;
  for (const [at, file] of files.entries()) {
    const contents = await read(file);
    const name = names[at] ?? "";
    const size = base64Bytes(contents.length);
    if (batch.length > 0 && (batch.length >= customVisionLimits.imagesPerRequest || bytes + size > base64BytesMax)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push({ name, contents, ...annotationsFor(name, options) });
    bytes += size;
  }
  yield batch;
}

function summaryOf({ incomplete, dryRun }: Call, images: readonly CreatedImage[]): ImageCreateSummary {
  const isStored = ({ status }: CreatedImage): boolean => status === "OK" || status === "OKDuplicate";
  if (!dryRun && !images.every(isStored)) incomplete();
  return { isBatchSuccessful: images.every(({ status }) => status === "OK"), images };
}
