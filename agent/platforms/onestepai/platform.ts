import { basename } from "node:path";
import { OnestepaiClient } from "../../../src/targets/onestepai/client.ts";
import { onestepaiAccess } from "../../../src/targets/onestepai/config.ts";
import { uploadFolder } from "./folder.ts";
import type { Operation, OperationOption, Platform } from "../platform.ts";
import { usageError } from "../run-operation.ts";

const skipUnsupported: OperationOption = {
  flags: "--skip-unsupported",
  description: "let the platform pass over a picture that it cannot read, in silence",
  document: "skipUnsupportedImages",
};

const signIn: Operation<OnestepaiClient> = {
  name: "sign-in",
  summary: "exchange the access token for a JWT, which is not shown",
  document: "sign_in",
  async run({ client, signal }) {
    await client.signIn(signal);
    return { signedIn: true };
  },
};

const whoAmI: Operation<OnestepaiClient> = {
  name: "who-am-i",
  summary: "show the account",
  run: ({ client, signal }) => client.whoAmI(signal),
};

const createDataset: Operation<OnestepaiClient> = {
  name: "create-dataset",
  summary: "create a dataset",
  document: "create_dataset",
  arguments: [{ name: "name", description: "of the dataset" }],
  run: async ({ client, args, signal }) => ({ dataset: await client.createDataset(String(args[0]), signal) }),
};

const createCategory: Operation<OnestepaiClient> = {
  name: "create-category",
  summary: "create a category for whole pictures",
  document: "create_category",
  arguments: [
    { name: "dataset", description: "id of the dataset" },
    { name: "name", description: "of the category" },
  ],
  async run({ client, args: [dataset, name], signal }) {
    return { category: await client.createCategory(String(dataset), String(name), signal) };
  },
};

const startUploading: Operation<OnestepaiClient> = {
  name: "start-uploading",
  summary: "lock a dataset for an upload; finish it with finish-uploading",
  document: "start_uploading",
  arguments: [{ name: "dataset", description: "id of the dataset" }],
  run: async ({ client, args, signal }) => ({ upload: await client.startUploading(String(args[0]), signal) }),
};

const uploadChunk: Operation<OnestepaiClient> = {
  name: "upload-chunk",
  summary: "send a picture of an upload",
  document: "upload_image",
  arguments: [{ name: "file", description: "a .jpg or .png" }],
  options: [
    { flags: "--dataset <id>", description: "the dataset", required: true, document: "datasetId" },
    { flags: "--upload <id>", description: "of start-uploading", required: true, document: "datasetUploadId" },
    { flags: "--category <id>", description: "of the picture", required: true, document: "classifyCategoryId" },
    { flags: "--annotation <file>", description: "Pascal VOC of the picture", document: "annotation" },
    skipUnsupported,
  ],
  async run({ client, args, options, read, signal }) {
    const file = String(args[0]);
    const name = basename(file);
    if (!/\.(jpg|png)$/i.test(name)) throw usageError(`${file} is neither a .jpg nor a .png`);
    const { dataset, upload, category, annotation, skipUnsupported: skip } = options;
    const chunk = {
      datasetId: String(dataset),
      uploadId: String(upload),
      categoryId: String(category),
      name,
      image: await read(file),
      annotation: typeof annotation === "string" ? await read(annotation) : undefined,
      skipUnsupportedImages: skip === true,
    };
    await client.uploadChunk(chunk, signal);
    return { uploaded: name, annotated: annotation !== undefined };
  },
};

const finishUploading: Operation<OnestepaiClient> = {
  name: "finish-uploading",
  summary: "end an upload, which unlocks its dataset",
  document: "finish_uploading",
  arguments: [
    { name: "dataset", description: "id of the dataset" },
    { name: "upload", description: "id of the upload" },
  ],
  async run({ client, args: [dataset, upload], signal }) {
    await client.finishUploading(String(dataset), String(upload), signal);
    return { finished: upload };
  },
};

const uploadFolderOperation: Operation<OnestepaiClient> = {
  name: "upload-folder",
  summary:
    "send all .jpg and .png of a folder: its sub-folders are categories, an .xml beside a picture its annotation",
  document: "main",
  arguments: [{ name: "folder", description: "the folder" }],
  options: [
    { flags: "--dataset <id>", description: "into this dataset" },
    { flags: "--create <name>", description: "into a new dataset of this name", document: "create_dataset" },
    {
      flags: "--category <name=id>",
      description: "a category that exists already; may be given several times",
      parse: collectedCategory,
    },
    skipUnsupported,
  ],
  run: uploadFolder,
};

export const onestepaiPlatform: Platform<OnestepaiClient> = {
  kind: "onestepai",
  title: "OneStepAI",
  access: onestepaiAccess,
  connect: (access, link) => new OnestepaiClient(onestepaiAccess.parse(access), link),
  operations: [
    signIn,
    whoAmI,
    createDataset,
    createCategory,
    startUploading,
    uploadChunk,
    finishUploading,
    uploadFolderOperation,
  ],
  dryAnswer({ url }) {
    const body = dryAnswers.find(([path]) => path.test(url))?.[1];
    return { status: 200, ...(body === undefined ? {} : { body }) };
  },
};

const dryAnswers: readonly (readonly [RegExp, unknown])[] = [
  [/\/Users\/SignIn$/, "jwt-of-a-dry-run"],
  [/\/Users$/, {}],
  [/\/Datasets$/, { id: "<datasetId>" }],
  [/\/Categories$/, { id: "<categoryId>" }],
  [/\/StartUploading$/, "<uploadId>"],
];

function collectedCategory(text: string, before: unknown): ReadonlyMap<string, string> {
  const at = text.lastIndexOf("=");
  if (at < 1 || at === text.length - 1) throw usageError(`--category ${text}: expected NAME=ID`);
  const known = before instanceof Map ? (before as ReadonlyMap<string, string>) : [];
  return new Map([...known, [text.slice(0, at), text.slice(at + 1)]]);
}
