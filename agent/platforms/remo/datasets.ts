import type { RemoClient } from "../../../src/targets/remo/client.ts";
import type { RemoImage } from "../../../src/targets/remo/parse.ts";
import type { Operation, OperationOption } from "../platform.ts";
import {
  booleanOption,
  booleanValue,
  datasetArgument,
  factor,
  idAt,
  imageArgument,
  limitOption,
  numberOption,
  setArgument,
  textAt,
  wholeNumber,
} from "./options.ts";
import { positiveInteger } from "../../option-values.ts";

const login: Operation<RemoClient> = {
  name: "login",
  summary: "check e-mail address and password",
  async run({ client, signal }) {
    await client.login(signal);
    return { login: "accepted" };
  },
};

const createDataset: Operation<RemoClient> = {
  name: "create-dataset",
  summary: "make an empty dataset",
  arguments: [{ name: "name", description: "the name" }],
  run: (call) => call.client.createDataset(textAt(call, 0), call.signal),
};

const listDatasets: Operation<RemoClient> = {
  name: "list-datasets",
  summary: "the datasets of the server",
  document: "List datasets",
  options: [
    {
      flags: "--is-public <boolean>",
      description: "only public ones, or only private ones",
      parse: booleanValue,
      document: "is_public",
    },
    {
      flags: "--is-archived <boolean>",
      description: "only archived ones, or only active ones",
      parse: booleanValue,
      document: "is_archived",
    },
    limitOption,
  ],
  run({ client, options, signal }) {
    const [isPublic, isArchived] = [booleanOption(options, "isPublic"), booleanOption(options, "isArchived")];
    return client.listDatasets({ isPublic, isArchived, limit: numberOption(options, "limit") }, signal);
  },
};

const getDataset: Operation<RemoClient> = {
  name: "get-dataset",
  summary: "one dataset",
  arguments: [datasetArgument],
  run: (call) => call.client.dataset(idAt(call, 0, "dataset"), call.signal),
};

const listContents: Operation<RemoClient> = {
  name: "list-contents",
  summary: "the folders and images of a dataset",
  document: "List dataset contents (folders and images)",
  arguments: [datasetArgument],
  options: [limitOption],
  run: (call) =>
    call.client.contents(idAt(call, 0, "dataset"), { limit: numberOption(call.options, "limit") }, call.signal),
};

const listFolderContents: Operation<RemoClient> = {
  name: "list-folder-contents",
  summary: "the folders and images of one folder",
  document: "List dataset contents in particular folder (folders and images)",
  arguments: [datasetArgument, { name: "folder", description: "id of the folder" }],
  options: [limitOption],
  run(call) {
    const where = { folderId: idAt(call, 1, "folder"), limit: numberOption(call.options, "limit") };
    return call.client.contents(idAt(call, 0, "dataset"), where, call.signal);
  },
};

const listImages: Operation<RemoClient> = {
  name: "list-images",
  summary: "every image of a dataset, with its size and address",
  arguments: [datasetArgument],
  async run(call) {
    const images: RemoImage[] = [];
    for await (const image of call.client.images(idAt(call, 0, "dataset"), call.signal)) images.push(image);
    return images;
  },
};

const getAnnotation: Operation<RemoClient> = {
  name: "get-annotation",
  summary: "what an annotation set says of one image",
  arguments: [datasetArgument, setArgument, imageArgument],
  run: (call) =>
    call.client.sets.annotationOf(idAt(call, 0, "dataset"), idAt(call, 1, "set"), idAt(call, 2, "image"), call.signal),
};

const cacheImage: Operation<RemoClient> = {
  name: "cache-image",
  summary: "have the server prepare a large image for zooming",
  document: "Cache image",
  arguments: [imageArgument],
  async run(call) {
    await call.client.cacheImage(idAt(call, 0, "image"), call.signal);
    return { cached: idAt(call, 0, "image") };
  },
};

const downsampleImage: Operation<RemoClient> = {
  name: "downsample-image",
  summary: "write a part of an image to a file, made smaller",
  document: "Downsample image",
  arguments: [imageArgument],
  options: [
    { flags: "--output <file>", description: "where to write it", required: true },
    pixels("--source-x <pixels>", "left side of the part", "source_x", wholeNumber),
    pixels("--source-y <pixels>", "upper side of the part", "source_y", wholeNumber),
    pixels("--source-width <pixels>", "its width", "source_width", positiveInteger),
    pixels("--source-height <pixels>", "its height", "source_height", positiveInteger),
    {
      flags: "--downscale <factor>",
      description: "0.7: 70 % of width and height",
      parse: factor,
      document: "downscale",
    },
  ],
  async run({ client, options, save, signal, ...call }) {
    const fragment = {
      sourceX: numberOption(options, "sourceX") ?? 0,
      sourceY: numberOption(options, "sourceY") ?? 0,
      sourceWidth: numberOption(options, "sourceWidth") ?? 1,
      sourceHeight: numberOption(options, "sourceHeight") ?? 1,
      downscale: numberOption(options, "downscale") ?? 1,
    };
    return save(String(options["output"]), await client.downsampleImage(idAt(call, 0, "image"), fragment, signal));
  },
};

export const remoDatasetOperations = [
  login,
  createDataset,
  listDatasets,
  getDataset,
  listContents,
  listFolderContents,
  listImages,
  getAnnotation,
  cacheImage,
  downsampleImage,
];

function pixels(
  flags: string,
  description: string,
  document: string,
  parse: (text: string) => number,
): OperationOption {
  return { flags, description, document, parse, required: true };
}
