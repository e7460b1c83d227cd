import type { HttpRequest } from "../../../src/link/http.ts";
import { IotownClient } from "../../../src/targets/iotown/client.ts";
import { iotownAccess } from "../../../src/targets/iotown/config.ts";
import type { Platform } from "../platform.ts";
import { dataOperations } from "./data.ts";
import { imageOperations } from "./images.ts";
import { nodeOperations } from "./nodes.ts";

export const iotownPlatform: Platform<IotownClient> = {
  kind: "iotown",
  title: "IoT.own",
  access: iotownAccess,
  groups: { callbacks: ["url", "username", "group"] },
  connect: (access, link) => new IotownClient(iotownAccess.parse(access), link),
  operations: [...imageOperations, ...dataOperations, ...nodeOperations],
  dryAnswer: (request) => ({ status: 200, body: dryBody(request) }),
};

/** The start of a JPEG, which is all that a download is asked for. */
const dryPicture = Buffer.from([0xff, 0xd8, 0xff, 0xd9]);

function dryBody({ method, url }: HttpRequest): unknown {
  const { pathname } = new URL(url);
  if (method === "GET" && !/\/(images|storage|nodes|node|command)(\/|$)/.test(pathname)) return dryPicture;
  const ok = { errorCode: 200, errorMsg: "OK" };
  if (pathname.endsWith("/nn/images")) return { result: [] };
  if (pathname.endsWith("/storage")) return { data: [] };
  if (pathname.endsWith("/file")) return { files: [{ file_id: "<file_id>", file_size: 0 }] };
  if (pathname.includes("/nodes")) return { nodes: [] };
  if (pathname.includes("/node/")) return { node: { node_id: "<nid>" } };
  return method === "GET" ? { command: [] } : { ...ok, fCnt: 1 };
}
