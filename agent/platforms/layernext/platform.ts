import type { HttpRequest } from "../../../src/link/http.ts";
import { LayernextClient } from "../../../src/targets/layernext/client.ts";
import { layernextAccess } from "../../../src/targets/layernext/config.ts";
import { isObject, type JsonObject } from "../../../src/targets/json.ts";
import { layernextAnnotations } from "./annotations.ts";
import { layernextImages } from "./images.ts";
import type { Operation, Platform } from "../platform.ts";
import { jsonObject } from "./options.ts";

const labelReferences: Operation<LayernextClient> = {
  name: "label-references",
  summary: "what the server calls labels, their attributes and values",
  arguments: [{ name: "label", description: "names of labels", many: true }],
  options: [
    {
      flags: "--attributes <json>",
      description: 'attributes and values to ask for, for example \'{"kitchen":{"name":["bottle"]}}\'',
      parse: jsonObject,
    },
  ],
  async run({ client, args, options, signal }) {
    const asked = (options["attributes"] ?? {}) as JsonObject;
    const labels = (args[0] as readonly string[]).map((label) => [label, valuesOf(asked[label])] as const);
    const found = await client.labelReferences(new Map(labels), signal);
    return Object.fromEntries(
      [...found].map(([label, { ref, color, attributes }]) => [label, { ref, color, attributes: shown(attributes) }]),
    );
  },
};

function valuesOf(attributes: unknown): ReadonlyMap<string, ReadonlySet<string>> {
  const entries = Object.entries(isObject(attributes) ? attributes : {}).map(([name, values]) => {
    const texts = (Array.isArray(values) ? (values as readonly unknown[]) : [values]).map(String);
    return [name, new Set(texts)] as const;
  });
  return new Map(entries);
}

function shown(
  attributes: ReadonlyMap<string, { readonly ref: string; readonly values: ReadonlyMap<string, string> }>,
) {
  const entries = [...attributes].map(([name, { ref, values }]) => [name, { ref, values: Object.fromEntries(values) }]);
  return Object.fromEntries(entries) as object;
}

const createLabel: Operation<LayernextClient> = {
  name: "create-label",
  summary: "make a label",
  arguments: [{ name: "label", description: "its name" }],
  options: [{ flags: "--description <text>", description: "for the people who label" }],
  async run({ client, args, options, signal }) {
    const description = typeof options["description"] === "string" ? options["description"] : "";
    return { reference: await client.createLabel(String(args[0]), description, signal) };
  },
};

const collectionDetails: Operation<LayernextClient> = {
  name: "collection-details",
  summary: "id and details of a collection, by its name",
  arguments: [{ name: "collection", description: "its name" }],
  options: [{ flags: "--field <name...>", description: "which details (default: storagePath)" }],
  async run({ client, args, options, signal }) {
    const collectionId = await client.collectionId(String(args[0]), signal);
    const fields = options["field"] as readonly string[] | undefined;
    return { collectionId, ...(await client.collectionDetails(collectionId, signal, fields)) };
  },
};

const uploadProgress: Operation<LayernextClient> = {
  name: "upload-progress",
  summary: "how far the server is with a collection",
  arguments: [{ name: "collection", description: "its name" }],
  run: ({ client, args, signal }) => client.images.progress(String(args[0]), signal),
};

const system: Operation<LayernextClient> = {
  name: "system",
  summary: "what the server says of itself: a check of address and credentials",
  run: ({ client, signal }) => client.systemDetails(signal),
};

const compatibility: Operation<LayernextClient> = {
  name: "compatibility",
  summary: "whether the server speaks with the vendor's client of a version",
  arguments: [{ name: "version", description: "for example 2.3.4" }],
  run: ({ client, args, signal }) => client.compatibility(String(args[0]), signal),
};

export const layernextPlatform: Platform<LayernextClient> = {
  kind: "layernext",
  title: "LayerNext",
  access: layernextAccess,
  connect: (access, link) => new LayernextClient(layernextAccess.parse(access), link),
  operations: [
    ...layernextAnnotations,
    ...layernextImages,
    labelReferences,
    createLabel,
    collectionDetails,
    uploadProgress,
    system,
    compatibility,
  ],
  dryAnswer({ method, url, body }) {
    if (method === "PUT") return { status: 200, headers: { etag: '"<etag>"' } };
    return { status: 200, body: dryBody(new URL(url).pathname, body) };
  },
};

/** Made-up answers that lead through all steps. */
function dryBody(path: string, body: HttpRequest["body"]): unknown {
  const step = path.split("/").at(-1) ?? "";
  switch (step) {
    case "uploadMetadataInCollection":
      return { storageType: "aws_s3", uploadId: "<uploadId>", collectionId: "<collectionId>", jobId: "<jobId>" };
    case "initializeMultipartUpload":
      return { fileId: "<fileId>", fileKey: "<fileKey>", isExisting: false };
    case "getMultipartPreSignedUrls":
      return { parts: [{ PartNumber: 1, signedUrl: "https://storage.example/signed" }] };
    case "getStatus":
      return { isSuccess: true, status: 2, progress: 100 };
    case "getCollectionIdByName":
      return { collectionId: "<collectionId>" };
    case "getCollectionDetails":
      return { isSuccess: true, itemDetails: { storagePath: "<storagePath>" } };
    case "create":
      return { label: "<labelRef>" };
    case "references":
      return dryReferences(JSON.parse(body?.toString("utf8") ?? "{}"));
    default:
      return { isSuccess: true };
  }
}

function dryReferences(asked: unknown): object {
  const labels = isObject(asked) && isObject(asked["labels"]) ? asked["labels"] : {};
  const answers = Object.entries(labels).map(([label, attributes]) => {
    const texts = [...valuesOf(attributes)].map(([name, values]) => {
      const refs = [...values].map((value) => [value, `<ref of ${value}>`]);
      return [name, { ref: `<ref of ${name}>`, texts: Object.fromEntries(refs) as object }];
    });
    return [label, { ref: `<ref of ${label}>`, color: "#000000", texts: Object.fromEntries(texts) as object }];
  });
  return Object.fromEntries(answers) as object;
}
