import type { HttpRequest } from "../../../src/link/http.ts";
import { CustomVisionClient } from "../../../src/targets/customvision/client.ts";
import { customVisionAccess } from "../../../src/targets/customvision/config.ts";
import { documentOperations, listOf } from "./images.ts";
import { imageRegions } from "./values.ts";
import type { Operation, Platform } from "../platform.ts";

/** What the document needs around its nine operations: tags, project, domains, and the boxes of v3.3. */

const tags: Operation<CustomVisionClient> = {
  name: "tags",
  summary: "all tags with their ids and the number of their images",
  options: [{ flags: "--iteration-id <id>", description: "of this iteration instead of the workspace" }],
  run: ({ client, options, signal }) => client.listTags(options, signal),
};

const createTag: Operation<CustomVisionClient> = {
  name: "create-tag",
  summary: "make a tag",
  arguments: [{ name: "name", description: "as people see it" }],
  options: [
    { flags: "--description <text>", description: "for people" },
    { flags: "--type <type>", description: "v3.3", choices: ["Regular", "Negative", "GeneralProduct"] },
  ],
  run: ({ client, args, options, signal }) => client.createTag(String(args[0]), options, signal),
};

const project: Operation<CustomVisionClient> = {
  name: "project",
  summary: "name, domain and kind of the project",
  run: ({ client, signal }) => client.getProject(signal),
};

const getDomains: Operation<CustomVisionClient> = {
  name: "domains",
  summary: "what projects can be made for, or the one with this id",
  arguments: [{ name: "id", description: "id of a domain", optional: true }],
  run: ({ client, args, signal }) =>
    args[0] === undefined ? client.getDomains(signal) : client.getDomain(String(args[0]), signal),
};

const createRegions: Operation<CustomVisionClient> = {
  name: "create-image-regions",
  summary: "v3.3: put boxes on stored images, up to 64",
  arguments: [
    {
      name: "regions",
      description: '\'[{"imageId":"<id>","tagId":"<id>","left":0.1,"top":0.2,"width":0.4,"height":0.4}]\'',
    },
  ],
  run: ({ client, args, signal }) => client.createImageRegions(imageRegions(String(args[0])), signal),
};

const deleteRegions: Operation<CustomVisionClient> = {
  name: "delete-image-regions",
  summary: "v3.3: take boxes away, up to 64",
  arguments: [{ name: "region-id", description: "ids of regions", many: true }],
  async run(call) {
    const ids = listOf(call, 0);
    await call.client.deleteImageRegions(ids, call.signal);
    return { deleted: ids.length };
  },
};

export const customVisionPlatform: Platform<CustomVisionClient> = {
  kind: "customvision",
  title: "Azure Custom Vision Training",
  access: customVisionAccess,
  connect: (access, link) => new CustomVisionClient(customVisionAccess.parse(access), link),
  operations: [...documentOperations, tags, createTag, project, getDomains, createRegions, deleteRegions],
  dryAnswer,
};

function dryAnswer({ method, url }: HttpRequest): { readonly status: number; readonly body?: unknown } {
  return method === "DELETE" ? { status: 204 } : { status: 200, body: dryBody(method, new URL(url).pathname) };
}

function dryBody(method: string, path: string): unknown {
  if (/\/images\/(tags|regions)$/.test(path)) return { created: [], duplicated: [], exceeded: [] };
  if (method === "POST") return /\/tags$/.test(path) ? { id: "<tagId>", name: "<name>" } : { images: [] };
  if (/\/(tagged|untagged|tags|domains)$/.test(path)) return [];
  if (/\/domains\//.test(path)) return { id: "<domainId>", name: "<name>" };
  return { id: "<projectId>", name: "<name>", settings: { domainId: "<domainId>" } };
}
