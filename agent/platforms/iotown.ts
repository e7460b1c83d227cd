import { iotownAccess } from "../../src/targets/iotown/config.ts";
import { IotownClient } from "../../src/targets/iotown/client.ts";
import type { Operation, Platform } from "./platform.ts";
import { usageError } from "./run-operation.ts";

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

export const iotownPlatform: Platform<IotownClient> = {
  kind: "iotown",
  title: "IoT.own",
  access: iotownAccess,
  connect: (access, link) => new IotownClient(iotownAccess.parse(access), link),
  operations: [uploadImage],
  dryAnswer: () => ({ status: 200, body: { errorCode: 200, errorMsg: "OK" } }),
};

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
