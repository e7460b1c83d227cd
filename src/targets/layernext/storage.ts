import { AgentError, asAgentError } from "../../core/errors.ts";
import type { HttpCaller, HttpRequest } from "../../link/http.ts";
import { attemptedText, type HttpAnswer, type StatusContext } from "../../link/http-status.ts";
import { requireStatus, unexpectedAnswer } from "../platform-answer.ts";
import { isId } from "./answers.ts";
import { imageContentType } from "./names.ts";

/** Where LayerNext keeps files. Servers before 3.x write `AWS_S3`, `GCP` and `AZURE`. */
export type StorageType = "aws_s3" | "gcs" | "azure_blob";

const storageTypes: ReadonlyMap<string, StorageType> = new Map([
  ["aws_s3", "aws_s3"],
  ["gcs", "gcs"],
  ["gcp", "gcs"],
  ["azure_blob", "azure_blob"],
  ["azure", "azure_blob"],
]);

/** Fails with `STORAGE_UNSUPPORTED`, which only a person can mend. */
export function storageTypeOf(name: string, otherStorage: "refuse" | "unproven"): StorageType {
  const type = storageTypes.get(name.toLowerCase());
  if (type === "aws_s3" || (type !== undefined && otherStorage === "unproven")) return type;
  const advice = type === undefined ? "" : "; otherStorage: unproven tries it";
  throw new AgentError("STORAGE_UNSUPPORTED", `the server stores files in "${name}", only aws_s3 is proven${advice}`, {
    disposition: "fatal",
  });
}

/**
 * PUTs a whole file to a signed address, with no credentials: the address holds them, so its query is shown nowhere. The
 * answer is the ETag to finalize with, unquoted; empty for storages that the vendor's clients give none for. Fails with
 * `HTTP_403` when the address has expired.
 */
export async function putFile(
  link: HttpCaller,
  { storageType, signedUrl, bytes, typed }: SignedPut,
  signal: AbortSignal,
): Promise<string> {
  const { url, headers, statuses } = requestOf(storageType, signedUrl, bytes.length, typed);
  const answer = await link.request({ method: "PUT", url, headers, body: bytes }, signal);
  const context = { attempted: attemptedText("PUT", url), secrets: signatureOf(url) };
  requireAccepted(answer, context, statuses);
  return storageType === "aws_s3" ? etagOf(answer, context) : "";
}

/**
 * A 413 is about the picture. The other refusals (S3 answers 400 to a line that was too slow and to a token that has
 * expired, 404 to an upload that it has given up) are about this address or the storage.
 */
function requireAccepted(answer: HttpAnswer, context: StatusContext, statuses: readonly number[]): void {
  try {
    requireStatus(answer, context, statuses);
  } catch (error) {
    const { code, message } = asAgentError(error, context.attempted);
    if (!/^HTTP_4(?!01|03|07|08|13|25|29)/.test(code)) throw error;
    throw new AgentError("STORAGE_REFUSED", message, { disposition: "retry", cause: error });
  }
}

export interface SignedPut {
  readonly storageType: StorageType;
  readonly signedUrl: string;
  readonly bytes: Buffer;
  /** The content type is part of the signature. */
  readonly typed: boolean;
}

function requestOf(
  storageType: StorageType,
  signedUrl: string,
  sizeBytes: number,
  typed: boolean,
): Pick<HttpRequest, "url" | "headers"> & { readonly statuses: readonly number[] } {
  const type = typed ? { "Content-Type": imageContentType } : {};
  switch (storageType) {
    case "aws_s3":
      return { url: signedUrl, headers: { Accept: "*/*", ...type }, statuses: [200] };
    case "gcs":
      return {
        url: signedUrl,
        headers: { Accept: "*/*", ...type, "Content-Range": `bytes 0-${sizeBytes - 1}/${sizeBytes}` },
        statuses: [200, 201, 308],
      };
    case "azure_blob": {
      const [address = "", query = ""] = signedUrl.split("?", 2);
      return {
        // The vendor's client encodes the block's number, and the library below it encodes that again.
        url: `${address}?comp=block&blockid=TURBd01EQXc%3D${query === "" ? "" : `&${query}`}`,
        headers: { Accept: "application/xml", "Content-Type": "application/octet-stream" },
        statuses: [201],
      };
    }
  }
}

function etagOf(answer: HttpAnswer, context: StatusContext): string {
  const etag = answer.headers["etag"] ?? "";
  // The quotes belong to the header's form, not to the tag.
  const bare = etag.replace(/^"(.*)"$/, "$1");
  if (!isId(bare)) throw unexpectedAnswer("no ETag", answer, context);
  return bare;
}

/** What must not be shown of a signed address: its query as a whole, and each value, as it stands there and decoded. */
export function signatureOf(url: string): readonly string[] {
  const { search, searchParams } = new URL(url);
  const asGiven = search
    .slice(1)
    .split("&")
    .map((field) => field.slice(field.indexOf("=") + 1));
  return [search.slice(1), ...asGiven, ...searchParams.values()].filter(({ length }) => length >= 8);
}
