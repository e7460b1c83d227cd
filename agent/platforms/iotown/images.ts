import type { IotownClient } from "../../../src/targets/iotown/client.ts";
import type { Operation } from "../platform.ts";
import { usageError } from "../run-operation.ts";
import { outputOption } from "./options.ts";

/** Pictures and their labels: the three operations of the user's document. */

const uploadImage: Operation<IotownClient> = {
  name: "upload-image",
  summary: "store a JPEG with its labels",
  document: "uploadImage",
  arguments: [{ name: "file", description: "a JPEG" }],
  options: [
    {
      flags: "--labels <json>",
      description: 'as the platform has them, for example \'[{"name":"human","x":0.1,"y":0.2,"w":0.4,"h":0.4}]\'',
      parse: labelsOf,
    },
  ],
  async run({ client, args, options, read, signal }) {
    const jpeg = await read(String(args[0]));
    const labels = (options["labels"] ?? []) as ReturnType<typeof labelsOf>;
    await client.uploadImage({ jpeg, labels }, signal);
    return { uploaded: args[0], labels: labels.length };
  },
};

const downloadAnnotations: Operation<IotownClient> = {
  name: "download-annotations",
  summary: "the ids and labels of the pictures that carry a label",
  document: "downloadAnnotations",
  arguments: [{ name: "classname", description: "the label" }],
  run: async ({ client, args, signal }) => client.downloadAnnotations(String(args[0]), signal),
};

const downloadImage: Operation<IotownClient> = {
  name: "download-image",
  summary: "a picture by its id (its path is the setting imagePath)",
  document: "downloadImage",
  arguments: [{ name: "imageID", description: "an id that download-annotations gave" }],
  options: [outputOption],
  async run({ client, args, options, signal, save }) {
    return save(String(options["output"]), await client.downloadImage(String(args[0]), signal));
  },
};

export const imageOperations: readonly Operation<IotownClient>[] = [uploadImage, downloadAnnotations, downloadImage];

/** Passed on as it is: the document's own example reaches out of the picture. */
function labelsOf(text: string): readonly { name: string; x: number; y: number; w: number; h: number }[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw usageError("--labels is no JSON");
  }
  if (!Array.isArray(value)) throw usageError("--labels is no list");
  return value.map((item: unknown, index) => {
    if (typeof item !== "object" || item === null) throw usageError(`--labels: label ${index} is no object`);
    const { name, x, y, w, h } = item as Readonly<Record<string, unknown>>;
    if (typeof name !== "string" || name === "") throw usageError(`--labels: label ${index} has no name`);
    if (typeof x !== "number" || typeof y !== "number" || typeof w !== "number" || typeof h !== "number") {
      throw usageError(`--labels: label ${index} needs the numbers x, y, w and h`);
    }
    return { name, x, y, w, h };
  });
}
