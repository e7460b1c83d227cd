import { basename } from "node:path";
import { InvalidArgumentError } from "commander";
import type { DataSelection, IotownClient, StorageQuery } from "../../../src/targets/iotown/client.ts";
import type { NodeFileMeta } from "../../../src/targets/iotown/data-body.ts";
import { positiveInteger } from "../../option-values.ts";
import type { Operation } from "../platform.ts";
import { usageError } from "../run-operation.ts";
import { fromOption, jsonObject, outputOption, textsOf, toOption } from "./options.ts";

/** Data of nodes, and files. */

const nidArgument = { name: "nid", description: "id of a node that the server knows" };

const sendData: Operation<IotownClient> = {
  name: "send-data",
  summary: "a row of data for a node",
  arguments: [nidArgument],
  options: [
    { flags: "--values <json>", description: "an object, for example '{\"t\":20}'", required: true, parse: jsonObject },
  ],
  async run({ client, args, options, signal }) {
    const data = options["values"] as ReturnType<typeof jsonObject>;
    const answer = await client.sendData({ nid: String(args[0]), data }, signal);
    return { sent: args[0], answer: answer ?? null };
  },
};

const sendDataWithFiles: Operation<IotownClient> = {
  name: "send-data-with-files",
  summary: "a row of data with files for a node",
  arguments: [nidArgument],
  options: [
    {
      flags: "--file <part=path>",
      description: "a file and the name of its part; several times for several",
      required: true,
      parse: (text, before) => [...((before as readonly GivenFile[] | undefined) ?? []), givenFile(text)],
    },
    {
      flags: "--meta <json>",
      description: 'what the files are; without it each is an image: \'{"snap":{"type":"image","file":"snap"}}\'',
      parse: metaOf,
    },
  ],
  async run({ client, args, options, signal, read }) {
    const given = options["file"] as readonly GivenFile[];
    const files = await Promise.all(
      given.map(async ({ part, path }) => ({ part, fileName: basename(path), bytes: await read(path) })),
    );
    const assumed = Object.fromEntries(given.map(({ part }) => [part, { type: "image", file: part }]));
    const meta = (options["meta"] as ReturnType<typeof metaOf> | undefined) ?? assumed;
    const answer = await client.sendDataWithFiles({ nid: String(args[0]), meta, files }, signal);
    return { sent: args[0], files: files.length, answer: answer ?? null };
  },
};

const storage: Operation<IotownClient> = {
  name: "storage",
  streams: true,
  summary: "stored rows: one page and the key of the next, or with --all every row as a line",
  options: [
    { flags: "--nid <id>", description: "only of this node" },
    fromOption,
    toOption,
    { flags: "--count <n>", description: "rows of a page", parse: positiveInteger },
    { flags: "--sort <word>", description: "passed on as it is" },
    { flags: "--last-key <key>", description: "begin behind the page that gave this key" },
    { flags: "--all", description: "page after page" },
  ],
  async run({ client, options, signal, line }) {
    const count = options["count"];
    const query: StorageQuery = {
      ...textsOf(options, ["nid", "from", "to", "sort", "lastKey"]),
      ...(typeof count === "number" ? { count } : {}),
    };
    if (options["all"] !== true) return client.storagePage(query, signal);
    for await (const row of client.storage(query, signal)) line(row);
    return undefined;
  },
};

const deleteData: Operation<IotownClient> = {
  name: "delete-data",
  summary: "delete stored rows for good: one by its id, or those of a node",
  options: [
    { flags: "--nid <id>", description: "the rows of this node: all of them without --from and --to" },
    { flags: "--id <id>", description: "the row with this _id" },
    fromOption,
    toOption,
  ],
  async run({ client, options, signal }) {
    const { nid, id } = textsOf(options, ["nid", "id"]);
    if ((nid === undefined) === (id === undefined)) throw usageError("delete-data needs either --nid or --id");
    const which = id === undefined ? { nid: nid ?? "" } : { _id: id };
    const selection: DataSelection = { ...which, ...textsOf(options, ["from", "to"]) };
    return { deleted: selection, answer: (await client.deleteData(selection, signal)) ?? null };
  },
};

const uploadFile: Operation<IotownClient> = {
  name: "upload-file",
  summary: "a file of its own, which data can name by its id",
  arguments: [{ name: "file", description: "any file" }],
  options: [{ flags: "--key <name>", description: "the key in data that it is for", required: true }],
  async run({ client, args, options, signal, read }) {
    return client.uploadFile(String(options["key"]), await read(String(args[0])), signal);
  },
};

const fetchFile: Operation<IotownClient> = {
  name: "fetch-file",
  summary: "a file by its id",
  arguments: [{ name: "fileId", description: "a file_id of stored data, or of upload-file" }],
  options: [outputOption],
  async run({ client, args, options, signal, save }) {
    return save(String(options["output"]), await client.fetchFile(String(args[0]), signal));
  },
};

export const dataOperations: readonly Operation<IotownClient>[] = [
  sendData,
  sendDataWithFiles,
  storage,
  deleteData,
  uploadFile,
  fetchFile,
];

interface GivenFile {
  readonly part: string;
  readonly path: string;
}

function givenFile(text: string): GivenFile {
  const at = text.indexOf("=");
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError("expected part=path, for example snap=a.jpg");
  return { part: text.slice(0, at), path: text.slice(at + 1) };
}

function metaOf(text: string): Readonly<Record<string, NodeFileMeta>> {
  const meta = Object.entries(jsonObject(text)).map(([key, value]) => {
    const { type, file, ...further } = (value ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof type !== "string" || typeof file !== "string") {
      throw new InvalidArgumentError(`"${key}" needs a type and the file of a part`);
    }
    return [key, { ...further, type, file }] as const;
  });
  return Object.fromEntries(meta);
}
