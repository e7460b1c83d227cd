import { requireTruth, violated, type LabelledBox, type SandboxPicture, type SandboxTruth } from "../checks.ts";
import { HttpSandbox, type SandboxAnswer, type SandboxOptions, type SandboxRequest } from "../http-sandbox.ts";
import { ImageStore, type StoredImage } from "../image-store.ts";
import { labelledBoxes, parseImageUpload, type SandboxImage, type SandboxLabel } from "./contract.ts";
import {
  framedBoxes,
  parseCommand,
  parseData,
  parseDeletion,
  parseFileUpload,
  timeIn,
  type SandboxData,
} from "./data-contract.ts";
import { FileStore, RowStore } from "./data-store.ts";
import { NodeBook } from "./nodes.ts";

export interface IotownSandboxOptions extends SandboxOptions {
  /** The token that is right; compared whole. */
  readonly token: string;
  /** Node ids that are registered; `gateway-1` when absent. */
  readonly nodes?: readonly string[];
  /** Rows of a page of stored data. The vendor's 5,000 when absent. */
  readonly pageRows?: number;
  /** Refuse whatever a file's `meta` has beside `type` and `file`. */
  readonly plainMeta?: boolean;
  /** Called for every image stored, before the answer. */
  readonly onImage?: (image: SandboxImage) => void;
}

const success: SandboxAnswer = { status: 200, body: { errorCode: 200, errorMsg: "OK" } };
const defaultPageRows = 5_000;

/** A stand-in for an IoT.own server. What was stored can be read back, as far as its bounded memory goes. */
export class IotownSandbox extends HttpSandbox {
  readonly #options: IotownSandboxOptions;
  readonly #store = new ImageStore<SandboxLabel>();
  readonly #rows = new RowStore();
  readonly #files = new FileStore();
  readonly #nodes: NodeBook;
  #filesNumber = 0;

  constructor(options: IotownSandboxOptions) {
    super(options);
    this.#options = options;
    this.#nodes = new NodeBook(options.nodes ?? ["gateway-1"]);
  }

  /**
   * From now on an image with this hash must carry exactly these boxes, and one with a hash that nobody named is a
   * violation: the same bytes decode to the same pixels, and the sandbox decodes none.
   */
  expect(sha256: string, truth: SandboxTruth): void {
    this.#store.expect(sha256, truth);
  }

  /** From now on this picture is answered with 400, which is no violation of the contract. */
  refuse(sha256: string): void {
    this.#store.refuse(sha256);
  }

  /** Pictures of `nn/image`, and those in the data of nodes. */
  stored(): readonly StoredImage<SandboxLabel>[] {
    return this.#store.images();
  }

  protected override accepted(): number {
    return this.#store.accepted;
  }

  protected override secrets(): readonly string[] {
    return [this.#options.token];
  }

  protected override refusal(status: number, sentence: string): SandboxAnswer {
    return { status, body: { errorCode: status, errorMsg: sentence } };
  }

  protected override judge(request: SandboxRequest): () => SandboxAnswer {
    const operation = this.#operationOf(request);
    this.#judgeCommon(request);
    return operation(request);
  }

  #judgeCommon({ query, headers, body }: SandboxRequest): void {
    const { token } = this.#options;
    if (body.includes(token)) violated("the token is in the body");
    if ([...query.values()].some((value) => value.includes(token))) violated("the token is in the query");
    if (headers["token"] !== token) {
      violated(headers["token"] === undefined ? "the Token header is missing" : "Invalid Token", 401);
    }
    if (headers.authorization !== undefined) violated("an Authorization header came along");
  }

  #operationOf({ method, path }: SandboxRequest): (request: SandboxRequest) => () => SandboxAnswer {
    if (path.includes("&")) violated("the path has an & before any ?", 404);
    const at = /^\/api\/v1\.0\/(file|command|node)\/([^/]+)(\/without-lorawan-session)?$/.exec(path);
    const [, kind, part = "", suffix] = at ?? [];
    if (method === "GET" && kind === "file" && suffix === undefined) return (request) => this.#fetch(request, part);
    if (method === "GET" && kind === "command" && suffix === undefined)
      return (request) => this.#pending(request, part);
    if (method === "GET" && kind === "node") return (request) => this.#node(request, part);
    switch (`${method} ${path}`) {
      case "POST /api/v1.0/nn/image":
        return (request) => this.#uploadImage(request);
      case "GET /api/v1.0/nn/images":
        return (request) => this.#annotations(request);
      case "POST /api/v1.0/data":
        return (request) => this.#data(request);
      case "DELETE /api/v1.0/data":
        return (request) => this.#delete(request);
      case "GET /api/v1.0/storage":
        return (request) => this.#storage(request);
      case "POST /api/v1.0/file":
        return (request) => this.#uploadFile(request);
      case "POST /api/v1.0/command":
        return (request) => this.#command(request);
      case "GET /api/v1.0/nodes":
      case "GET /api/v1.0/nodes/without-lorawan-session":
        return (request) => {
          noQuery(request);
          return () => ({ status: 200, body: { nodes: this.#nodes.list() } });
        };
      default:
        return violated("no such method and path", 404);
    }
  }

  #uploadImage(request: SandboxRequest): () => SandboxAnswer {
    noQuery(request);
    const image = parseImageUpload(contentTypeOf(request), request.body);
    this.#judgePicture(image, labelledBoxes(image));
    if (this.#store.refuses(image.sha256)) return () => this.#refusedPicture();
    return () => {
      this.#store.keep(image, image.labels);
      this.#files.keep(imageId(image), image.jpeg);
      this.#options.onImage?.(image);
      return success;
    };
  }

  #annotations({ query }: SandboxRequest): () => SandboxAnswer {
    onlyQuery(query, ["labels"]);
    const label = query.get("labels") ?? violated("no labels in the query");
    const found = this.#store.images().filter(({ labels }) => labels.some(({ name }) => name === label));
    const result = found.map((image) => ({ _id: `_${imageId(image)}`, id: imageId(image), labels: image.labels }));
    return () => ({ status: 200, body: { result } });
  }

  #data(request: SandboxRequest): () => SandboxAnswer {
    noQuery(request);
    const data = parseData(contentTypeOf(request), request.body, this.#options.plainMeta === true);
    this.#nodes.require(data.nid);
    for (const frame of data.frames) this.#judgePicture(frame, framedBoxes(frame));
    if (data.frames.some(({ sha256 }) => this.#store.refuses(sha256))) return () => this.#refusedPicture();
    return () => {
      for (const frame of data.frames) this.#store.keep(frame, frame.detected);
      this.#rows.keep(data.nid, this.#withFiles(data));
      return success;
    };
  }

  /** As the server gives it out again. */
  #withFiles({ value, files }: SandboxData): SandboxData["value"] {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => {
        const file = files.get(key);
        if (file === undefined || typeof entry !== "object") return [key, entry];
        const further = Object.entries(entry as object).filter(([name]) => name !== "type" && name !== "file");
        const added = { file_type: file.type, file_id: this.#keepFile(file.bytes), file_size: file.bytes.length };
        return [key, { ...Object.fromEntries(further), ...added }];
      }),
    );
  }

  #delete(request: SandboxRequest): () => SandboxAnswer {
    noQuery(request);
    const { nid, id, ...times } = parseDeletion(contentTypeOf(request), request.body);
    if (nid !== undefined) this.#nodes.require(nid);
    const rows = this.#rows.select({ ...(nid === undefined ? {} : { nid }), ...times, ascending: true });
    return () => {
      for (const row of rows) if (id === undefined || row.id === id) this.#rows.drop(row.id);
      return success;
    };
  }

  #storage({ query }: SandboxRequest): () => SandboxAnswer {
    onlyQuery(query, ["nid", "from", "to", "count", "sort", "lastKey"]);
    const [nid, from, to, count] = ["nid", "from", "to", "count"].map((name) => query.get(name) ?? undefined);
    if (count !== undefined && !/^[1-9]\d{0,3}$/.test(count)) violated("count is no number of rows");
    const rows = this.#rows.select({
      ...(nid === undefined ? {} : { nid }),
      ...(from === undefined ? {} : { from: timeIn(from, "from") }),
      ...(to === undefined ? {} : { to: timeIn(to, "to") }),
      ascending: query.get("sort") === "asc",
    });
    const lastKey = query.get("lastKey");
    const start = lastKey === null ? 0 : rows.findIndex(({ id }) => id === lastKey) + 1;
    if (lastKey !== null && start === 0) violated("nobody gave out this lastKey");
    const most = Math.min(Number(count ?? Infinity), this.#options.pageRows ?? defaultPageRows);
    const page = rows.slice(start, start + most);
    const data = page.map(({ id, value }) => ({ _id: id, value }));
    const next = start + most < rows.length ? page.at(-1)?.id : undefined;
    return () => ({ status: 200, body: { data, ...(next === undefined ? {} : { lastKey: next }) } });
  }

  #uploadFile(request: SandboxRequest): () => SandboxAnswer {
    noQuery(request);
    const { bytes } = parseFileUpload(contentTypeOf(request), request.body);
    return () => ({ status: 200, body: { files: [{ file_id: this.#keepFile(bytes), file_size: bytes.length }] } });
  }

  #fetch(request: SandboxRequest, part: string): () => SandboxAnswer {
    noQuery(request);
    const bytes = this.#files.bytes(decoded(part)) ?? violated("no such file", 404);
    return () => ({ status: 200, headers: { "Content-Type": "application/octet-stream" }, body: bytes });
  }

  #command(request: SandboxRequest): () => SandboxAnswer {
    noQuery(request);
    const command = parseCommand(contentTypeOf(request), request.body);
    this.#nodes.require(command.nid);
    return () => ({ status: 200, body: this.#nodes.queue(command) });
  }

  #pending(request: SandboxRequest, part: string): () => SandboxAnswer {
    noQuery(request);
    const nid = decoded(part);
    this.#nodes.require(nid);
    return () => ({ status: 200, body: { command: this.#nodes.pending(nid) } });
  }

  #node(request: SandboxRequest, part: string): () => SandboxAnswer {
    noQuery(request);
    const node = this.#nodes.require(decoded(part));
    return () => ({ status: 200, body: { node } });
  }

  #judgePicture(picture: SandboxPicture, boxes: readonly LabelledBox[]): void {
    const truth = this.#store.truthOf(picture.sha256);
    if (truth !== undefined) requireTruth(boxes, truth);
    else if (this.#store.knowsAllImages) violated("the image is none of those that were captured");
  }

  #refusedPicture(): SandboxAnswer {
    return this.refusal(400, "this picture is not taken");
  }

  #keepFile(bytes: Buffer): string {
    this.#filesNumber += 1;
    const id = `file-${this.#filesNumber}`;
    this.#files.keep(id, bytes);
    return id;
  }
}

/** Not its `_id`. */
function imageId({ sha256 }: SandboxPicture): string {
  return sha256.slice(0, 24);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return violated("the path is not percent-encoded");
  }
}

function contentTypeOf({ headers }: SandboxRequest): string {
  return headers["content-type"] ?? "";
}

function noQuery({ query }: SandboxRequest): void {
  if (query.size > 0) violated("this operation takes no query");
}

function onlyQuery(query: URLSearchParams, names: readonly string[]): void {
  const [stranger] = [...query.keys()].filter((name) => !names.includes(name));
  if (stranger !== undefined) violated(`the query has the unknown name "${stranger}"`);
}
