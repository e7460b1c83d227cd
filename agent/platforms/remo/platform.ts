import type { HttpRequest } from "../../../src/link/http.ts";
import { RemoClient } from "../../../src/targets/remo/client.ts";
import { remoAccess } from "../../../src/targets/remo/config.ts";
import type { Platform } from "../platform.ts";
import { remoDatasetOperations } from "./datasets.ts";
import { remoSetOperations } from "./sets.ts";
import { remoUploadOperations } from "./uploads.ts";

export const remoPlatform: Platform<RemoClient> = {
  kind: "remo",
  title: "remo",
  access: remoAccess,
  connect: (access, link) => new RemoClient(remoAccess.parse(access), link),
  operations: [...remoDatasetOperations, ...remoUploadOperations, ...remoSetOperations],
  dryAnswer: (request) => ({ status: 200, body: dryBody(request) }),
};

/** One body that every reader finds what it needs in. */
function dryBody({ url }: HttpRequest): unknown {
  if (url.includes("/rest-auth/login/")) return { key: "<key>" };
  if (/\/(export|downsample)\//.test(url)) return Buffer.from("<bytes>");
  if (/\/images\/\?|\/annotation-sets\/\?|\/tags\/$|\/contents\//.test(url))
    return { count: 0, next: null, results: [] };
  return {
    id: 0,
    name: "<name>",
    session_id: "session-id",
    status: "done",
    annotation_info: [],
    classes: [],
    results: [],
  };
}
