/** What each platform answers to the requests of an upload, always the same: the least by which its protocol runs. */

export interface FixedAnswer {
  /** `METHOD /path`, without the query. */
  readonly on: RegExp;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * A text as it is, anything else as JSON, or made of the request's body. `{origin}` in it becomes the server's own
   * address, `{count}` the number of the request.
   */
  readonly body?: unknown;
}

const uuid = "00000000-0000-4000-8000-000000000000";
/** More than a call has. */
const manyFiles = { pending: 0, total: 64, successful: 64, failed: 0, errors: [] };
const label = { ref: "lb-1", color: "#20a0ff", texts: {} };

export const platformAnswers: Readonly<Record<string, readonly FixedAnswer[]>> = {
  iotown: [{ on: /./, body: { errorCode: 200, errorMsg: "OK" } }],
  onestepai: [
    { on: /SignIn$/, body: "jwt.of.bench" },
    { on: /^POST .*(Categories|StartUploading)$/, body: 1 },
    { on: /./ },
  ],
  customvision: [
    { on: /\/images\/files$/, body: (request: Buffer) => ({ isBatchSuccessful: true, images: createdIn(request) }) },
    { on: /\/tags$/, body: [{ id: uuid, name: "person", imageCount: 1 }] },
    { on: /\/domains\//, body: { id: uuid, name: "General", type: "ObjectDetection" } },
    { on: /./, body: { id: uuid, name: "bench", settings: { domainId: uuid } } },
  ],
  layernext: [
    { on: /^PUT /, headers: { ETag: '"9b2c"' } },
    {
      on: /uploadMetadataInCollection$/,
      body: { storageType: "aws_s3", uploadId: "u-1", collectionId: "c-1", jobId: "j-1" },
    },
    { on: /initializeMultipartUpload$/, body: { fileId: "f-1", fileKey: "bench/f-1", isExisting: false } },
    { on: /getMultipartPreSignedUrls$/, body: { parts: [{ PartNumber: 1, signedUrl: "{origin}/bucket/f-1?sig=x" }] } },
    { on: /finalizeMultipartUpload$/, status: 204 },
    { on: /getStatus$/, body: { isSuccess: true, status: 2, progress: 100 } },
    { on: /label\/references$/, body: { person: label } },
    { on: /./, body: { isSuccess: true } },
  ],
  remo: [
    { on: /\/login\/$/, body: { key: "bench-key" } },
    { on: /\/status\/$/, body: { status: "done", images: manyFiles, annotations: manyFiles, errors: [] } },
    { on: /\/uploads\/$/, body: { session_id: "session-{count}" } },
    {
      on: /GET .*\/annotation-sets\/$/,
      body: { next: null, results: [{ id: 1, name: "bench", task: "Object detection" }] },
    },
    { on: /./, body: {} },
  ],
};

export function answerTo(kind: string, operation: string): FixedAnswer | undefined {
  return platformAnswers[kind]?.find(({ on }) => on.test(operation));
}

function createdIn(request: Buffer): readonly object[] {
  const before = '"name":"';
  const created: object[] = [];
  for (let at = request.indexOf(before); at !== -1; at = request.indexOf(before, at + 1)) {
    const from = at + before.length;
    const sourceUrl = request.toString("utf8", from, request.indexOf('"', from));
    created.push({ sourceUrl, status: "OK", image: { id: uuid, width: 64, height: 48, tags: [], regions: [] } });
  }
  return created;
}
