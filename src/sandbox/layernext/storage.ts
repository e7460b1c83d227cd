import { createHash, randomBytes } from "node:crypto";
import { violated, wholeJpeg, type SandboxPicture } from "../checks.ts";
import { HttpSandbox, type SandboxAnswer, type SandboxRequest } from "../http-sandbox.ts";

/** What was PUT for one file. */
export interface StoredObject extends SandboxPicture {
  readonly etag: string;
}

interface Grant {
  readonly fileId: string;
  readonly contentType: string | null;
}

export type SandboxStorageType = "aws_s3" | "gcs" | "azure_blob";

const objectsMax = 20_000;

/** The bucket behind a data lake: signed addresses and nothing else. Shown credentials it refuses, and remembers. */
export class StorageSandbox extends HttpSandbox {
  readonly #type: SandboxStorageType;
  readonly #grants = new Map<string, Grant>();
  /** The last address of each file. */
  readonly #addresses = new Map<string, string>();
  readonly #objects = new Map<string, StoredObject>();
  readonly #putsByHash = new Map<string, number>();
  #url = "";
  #puts = 0;

  constructor(type: SandboxStorageType) {
    super({});
    this.#type = type;
  }

  override async start(): Promise<{ readonly url: string }> {
    const started = await super.start();
    this.#url = started.url;
    return started;
  }

  /** An address for one PUT. */
  sign(fileId: string, contentType: string | null): string {
    const signature = randomBytes(16).toString("hex");
    this.#grants.set(signature, { fileId, contentType });
    const address = `${this.#url}/bucket/${fileId}?X-Amz-Signature=${signature}`;
    this.#addresses.set(fileId, address);
    return address;
  }

  addressOf(fileId: string): string | undefined {
    return this.#addresses.get(fileId);
  }

  /** All addresses handed out so far are refused from now on. */
  expire(): void {
    this.#grants.clear();
  }

  object(fileId: string): StoredObject | undefined {
    return this.#objects.get(fileId);
  }

  /** How often bytes with this hash came. */
  putsOf(sha256: string): number {
    return this.#putsByHash.get(sha256) ?? 0;
  }

  protected override accepted(): number {
    return this.#puts;
  }

  protected override secrets(): readonly string[] {
    return [];
  }

  protected override refusal(status: number, sentence: string): SandboxAnswer {
    const body = `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>${sentence}</Message></Error>`;
    return { status, headers: { "Content-Type": "application/xml" }, body };
  }

  protected override judge({ method, path, query, headers, body }: SandboxRequest): () => SandboxAnswer {
    for (const name of ["authorization", "token", "cookie"]) {
      if (headers[name] !== undefined) violated(`a ${name} header came along: the storage is none of its business`);
    }
    if (method !== "PUT") violated("only PUT is signed", 403);
    const signature = query.get("X-Amz-Signature") ?? "";
    const grant = this.#grants.get(signature);
    if (grant === undefined) return violated("Request has expired", 403);
    if (path !== `/bucket/${grant.fileId}`) violated("the signature is another file's", 403);
    this.#checkForm(grant, query, headers, body.length);
    if (headers["transfer-encoding"] !== undefined) violated("the length has to be known before", 411);
    const picture = /^\x89PNG/.test(body.toString("latin1", 0, 4)) ? png(body) : wholeJpeg(body);
    return () => {
      this.#grants.delete(signature);
      return this.#keep(grant.fileId, picture, body);
    };
  }

  #checkForm(grant: Grant, query: URLSearchParams, headers: SandboxRequest["headers"], sizeBytes: number): void {
    const type = headers["content-type"] ?? null;
    if (this.#type === "azure_blob") {
      // Base64 of base64 of "000000".
      if (query.get("comp") !== "block" || query.get("blockid") !== "TURBd01EQXc=")
        violated("it is not the first block");
      return;
    }
    if (type !== grant.contentType) violated(`the content type ${type ?? "none"} is not the signed one`, 403);
    if (this.#type === "gcs" && headers["content-range"] !== `bytes 0-${sizeBytes - 1}/${sizeBytes}`) {
      violated("Content-Range is not that of a whole file");
    }
  }

  #keep(fileId: string, picture: SandboxPicture, body: Buffer): SandboxAnswer {
    this.#puts += 1;
    this.#putsByHash.set(picture.sha256, this.putsOf(picture.sha256) + 1);
    const etag = createHash("md5").update(body).digest("hex");
    this.#objects.set(fileId, { ...picture, etag });
    const [oldest] = this.#objects.keys();
    if (this.#objects.size > objectsMax && oldest !== undefined) this.#objects.delete(oldest);
    if (this.#type === "azure_blob") return { status: 201 };
    return { status: 200, headers: { ETag: `"${etag}"` } };
  }
}

function png(body: Buffer): SandboxPicture {
  const sha256 = createHash("sha256").update(body).digest("hex");
  return { sha256, width: body.readUInt32BE(16), height: body.readUInt32BE(20), sizeBytes: body.length };
}
