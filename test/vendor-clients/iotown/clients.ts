import type { Json } from "../fixture.ts";
import type { VendorCase, VendorClient } from "../vendor-client.ts";
import { iotownAnswers } from "./answers.ts";

/** The calls of pyiotown that are recorded. */

const nid = "LW70B3D5FFFE000042";
const labels: Json = [
  { name: "fork lift", x: 0.265625, y: 0.2222222, w: 0.3125, h: 0.2222222 },
  { name: "person", x: 0.75, y: 0.731481, w: 0.416667, h: 0.314815 },
];
const photo = { file: "photo-1.jpg", labels };

function one(name: string, operation: string, input: Readonly<Record<string, Json>>): VendorCase {
  return { name, operation, call: `${operation}(url, token, …) with the fields of "input"`, input };
}

const image: readonly VendorCase[] = [
  one("upload-image", "post.uploadImage", photo),
  one("upload-image-from-dict", "post.uploadImage", { ...photo, asDict: true }),
  one("download-annotations", "get.downloadAnnotations", { argument: "traffic light&x" }),
];

const oldImage = one("download-image", "get.downloadImage", { argument: "image-1" });

const rest: readonly VendorCase[] = [
  one("upload-image-for-group", "post.uploadImage", { ...photo, group_id: "group-1" }),
  one("data", "post.data", { nid, data: { temperature: 20.5, state: "open" } }),
  one("data-for-group", "post.data", { nid, data: { temperature: 20.5 }, group_id: "group-1" }),
  one("data-with-files", "post.data", {
    nid,
    data: { snap: { type: "image", file: "snap0" }, wide: { type: "image", file: "wide0" } },
    files: { snap0: "photo-1.jpg", wide0: "photo-2.jpg" },
  }),
  one("data-empty", "post.data", { nid, data: {} }),
  one("storage", "get.storage", { nid, date_from: "2026-03-05T10:15:00Z", date_to: "2026-03-06T10:15:00Z" }),
  one("storage-count", "get.storage", { nid, count: 1, sort: "desc" }),
  one("storage-without-filter", "get.storage", {}),
  one("delete-node-data", "delete.data", { nid, date_from: "2026-03-05T10:15:00Z", date_to: "2026-03-06T10:15:00Z" }),
  one("delete-one", "delete.data", { _id: "a1" }),
  one("nodes", "get.node", {}),
  one("node", "get.node", { nid }),
  one("command-text", "post.command", { nid, text: "reboot" }),
  one("command-hex", "post.command", { nid, hex: "0aff", lorawan: { f_port: 2, confirmed: true } }),
  one("pending-commands", "get.command", { argument: nid }),
];

const file: readonly VendorCase[] = [
  one("file", "get.file", { argument: "file-1" }),
  one("post-files", "post.post_files", { key: "snap", file: "photo-1.jpg" }),
];

const newest: readonly VendorCase[] = [
  one("async-node-without-session", "get.async_node", { nid, include_lorawan_session: false }),
];

function client(version: string, cases: readonly VendorCase[]): VendorClient {
  return {
    kind: "iotown",
    id: `pyiotown-${version}`,
    name: `pyiotown ${version}`,
    language: "python",
    driver: "driver.py",
    cases,
    answers: () => iotownAnswers(),
  };
}

export const iotownClients: readonly VendorClient[] = [
  client("0.5.6", [...image, oldImage]),
  client("0.6.4", [...image, ...rest, ...file]),
  client("0.6.5.dev3", [...image, ...rest, ...file, ...newest]),
];
