import { requireTruth, violated, type SandboxTruth } from "../checks.ts";
import { HttpSandbox, type SandboxAnswer, type SandboxOptions, type SandboxRequest } from "../http-sandbox.ts";
import { ImageStore, type StoredImage } from "../image-store.ts";
import { labelledBoxes, parseImageUpload, type SandboxImage, type SandboxLabel } from "./contract.ts";

export interface IotownSandboxOptions extends SandboxOptions {
  /** The token that is right; compared whole. */
  readonly token: string;
  /** Called for every image stored, before the answer. */
  readonly onImage?: (image: SandboxImage) => void;
}

const success: SandboxAnswer = { status: 200, body: { errorCode: 200, errorMsg: "OK" } };

/** A stand-in for an IoT.own server. */
export class IotownSandbox extends HttpSandbox {
  readonly #options: IotownSandboxOptions;
  readonly #store = new ImageStore<SandboxLabel>();

  constructor(options: IotownSandboxOptions) {
    super(options);
    this.#options = options;
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
    const { token } = this.#options;
    const { method, path, query, headers, body } = request;
    const operation = `${method} ${path}`;
    if (operation !== "POST /api/v1.0/nn/image" && operation !== "GET /api/v1.0/nodes") {
      violated("no such method and path", 404);
    }
    if (query.size > 0) violated("this operation takes no query");
    if (body.includes(token)) violated("the token is in the body");
    if (headers["token"] !== token) {
      violated(headers["token"] === undefined ? "the Token header is missing" : "Invalid Token", 401);
    }
    if (headers.authorization !== undefined) violated("an Authorization header came along");
    if (method === "GET") return () => ({ status: 200, body: { nodes: [] } });
    const image = this.#judgeImage(request);
    if (this.#store.refuses(image.sha256)) return () => this.refusal(400, "this picture is not taken");
    return () => this.#keep(image);
  }

  #judgeImage({ headers, body }: SandboxRequest): SandboxImage {
    const image = parseImageUpload(headers["content-type"] ?? "", body);
    const truth = this.#store.truthOf(image.sha256);
    if (truth !== undefined) requireTruth(labelledBoxes(image), truth);
    else if (this.#store.knowsAllImages) violated("the image is none of those that were captured");
    return image;
  }

  #keep(image: SandboxImage): SandboxAnswer {
    this.#store.keep(image, image.labels);
    this.#options.onImage?.(image);
    return success;
  }
}
