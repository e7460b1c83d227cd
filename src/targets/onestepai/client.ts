import { AgentError } from "../../core/errors.ts";
import type { HttpCaller } from "../../link/http.ts";
import { type FormPart, multipartBody } from "../../link/multipart.ts";
import { isWebPage, jsonAnswer, notThePlatform, refusalError, requireStatus } from "../platform-answer.ts";
import { OnestepaiAccount, type AuthorisedAnswer, type OnestepaiAccess } from "./account.ts";
import { idInJson, idOf, uploadIdOf } from "./answers.ts";

export interface OnestepaiChunk {
  readonly datasetId: string;
  /** Of the upload that holds the dataset's lock. */
  readonly uploadId: string;
  /** The image's file name, ending in `.jpg` or `.png`. */
  readonly name: string;
  /** JPEG or PNG. */
  readonly image: Buffer;
  /** Pascal VOC, UTF-8. Absent: the image comes without an annotation. */
  readonly annotation?: Buffer | string | undefined;
  /** Of the whole image. */
  readonly categoryId: string;
  /** True: the platform passes over an image that it cannot read, in silence. False when absent. */
  readonly skipUnsupportedImages?: boolean | undefined;
}

/**
 * The operations of OneStepAI's API, one method each. Ids are the texts of what the platform answered. Every method
 * throws an AgentError, whose code is in core/outcome.ts; its text holds neither access token nor JWT. None retries but
 * for one repeat after a 401. Source: the platform's page "Image upload", whose code wins over its prose; this folder's
 * README says where each fact comes from.
 */
export class OnestepaiClient {
  readonly #account: OnestepaiAccount;

  constructor(access: OnestepaiAccess, link: HttpCaller) {
    this.#account = new OnestepaiAccount(access, link);
  }

  /** `POST /Users/SignIn` (document: `sign_in`). The others sign in by themselves; the JWT stays inside. */
  async signIn(signal: AbortSignal): Promise<void> {
    await this.#account.signIn(signal);
  }

  /** `GET /Users`: the account as the platform shows it. Not in the document; it serves as a check that sends no data. */
  async whoAmI(signal: AbortSignal): Promise<unknown> {
    const { answer, context } = await this.#account.request("/Users", { method: "GET", headers: {} }, signal);
    return jsonAnswer(answer, context);
  }

  /** `POST /Datasets` (document: `create_dataset`). Answers with the dataset's id. */
  async createDataset(name: string, signal: AbortSignal): Promise<string> {
    const { answer, context } = await this.#post("/Datasets", { name }, signal);
    return idOf(answer, context);
  }

  /**
   * `POST /Categories` (document: `create_category`). Answers with the category's id. What a second one of the same name
   * is answered is not documented, and there is no operation that lists them: keep the id.
   */
  async createCategory(datasetId: string, name: string, signal: AbortSignal): Promise<string> {
    const { answer, context } = await this.#post("/Categories", { datasetId: idInJson(datasetId), name }, signal);
    return idOf(answer, context);
  }

  /**
   * `POST /Datasets/{id}/StartUploading` (document: `start_uploading`). Locks the dataset and answers with the upload's
   * id. The platform unlocks it by itself some time after the last image.
   */
  async startUploading(datasetId: string, signal: AbortSignal): Promise<string> {
    const path = `${datasetPath(datasetId)}/StartUploading`;
    const { answer, context } = await this.#account.request(path, { method: "POST", headers: {} }, signal);
    return uploadIdOf(answer, context);
  }

  /**
   * `POST /Images/UploadChunk` (document: `upload_image`): one image, under index 0. The platform has no idempotency key
   * and answers with no id; an image sent again after a lost answer may be there twice, under the same name.
   */
  async uploadChunk(chunk: OnestepaiChunk, signal: AbortSignal): Promise<void> {
    const { contentType, body } = multipartBody(chunkParts(chunk));
    const path = `/Images/UploadChunk?skipUnsupportedImages=${chunk.skipUnsupportedImages === true}`;
    const request = { method: "POST", headers: { "Content-Type": contentType }, body } as const;
    const { answer, context } = await this.#account.request(path, request, signal);
    requireStatus(answer, context);
  }

  /**
   * `POST /Datasets/{id}/FinishUploading` (document: `finish_uploading`): unlocks the dataset. `timeoutMs` of the request;
   * the link's own when absent.
   */
  async finishUploading(datasetId: string, uploadId: string, signal: AbortSignal, timeoutMs?: number): Promise<void> {
    const query = `datasetUploadId=${encodeURIComponent(uploadId)}`;
    const path = `${datasetPath(datasetId)}/FinishUploading?${query}`;
    const deadline = timeoutMs === undefined ? {} : { deadlineMs: timeoutMs };
    const { answer, context } = await this.#account.request(path, { method: "POST", headers: {}, ...deadline }, signal);
    // Nobody has published what it answers: any success will do, but for a page of something else.
    if (answer.status < 200 || answer.status > 299) throw refusalError(answer, context);
    if (isWebPage(answer)) throw notThePlatform(answer, context);
  }

  async #post(path: string, fields: object, signal: AbortSignal): Promise<AuthorisedAnswer> {
    const headers = { "Content-Type": "application/json" };
    const body = Buffer.from(JSON.stringify(fields));
    return this.#account.request(path, { method: "POST", headers, body }, signal);
  }
}

/** `..` would be resolved before it is sent, also percent-encoded. */
function datasetPath(datasetId: string): string {
  if (!/^\.{0,2}$/.test(datasetId)) return `/Datasets/${encodeURIComponent(datasetId)}`;
  throw new AgentError("CONFIG_INVALID", `"${datasetId}" is no id of a dataset`, { disposition: "fatal" });
}

/** In the order, and with the omissions, of the document's own sample. */
function chunkParts({ datasetId, uploadId, name, image, annotation, categoryId }: OnestepaiChunk): readonly FormPart[] {
  const ofImage = (field: string) => `imagesMetadata[0][${field}]`;
  const voc = annotation === undefined ? "" : Buffer.from(annotation).toString("base64");
  return [
    { name: "datasetId", value: datasetId },
    { name: "datasetUploadId", value: uploadId },
    { name: ofImage("name"), value: name },
    // 0 is Pascal VOC, the only number that the platform has published. Without an annotation this part is absent.
    ...(annotation === undefined ? [] : [{ name: ofImage("annotationType"), value: "0" }]),
    { name: ofImage("annotation"), value: voc },
    { name: ofImage("classifyCategoryId"), value: categoryId },
    { name: "imagesFiles", fileName: name, value: image },
  ];
}
