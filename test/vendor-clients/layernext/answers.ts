import type { Json, RecordedAnswer, RecordedRequest } from "../fixture.ts";
import type { Answers } from "../recorder.ts";

/** What a LayerNext server answers, as its clients read it: nothing else of these bodies is known. */
export function layernextAnswers(storageType: string): Answers {
  let polls = 0;
  let files = 0;
  return (request) => {
    const path = request.path.replace(/^\/datalake/, "");
    if (path.endsWith("/getStatus")) {
      polls += 1;
      return json({ isSuccess: true, status: [3, 1, 2][Math.min(polls, 3) - 1] ?? 2, progress: polls > 2 ? 100 : 0 });
    }
    if (path.endsWith("/initializeMultipartUpload")) {
      files += 1;
      return json({ fileId: `file-${files}`, fileKey: `dock-3_${textOf(request, "fileName")}`, isExisting: false });
    }
    if (path.endsWith("/label/references")) return json(references(request));
    if (path.endsWith("/uploadMetadataInCollection")) {
      return json({ storageType, uploadId: "upload-1", collectionId: "collection-1", jobId: "job-1" });
    }
    return fixedAnswer(path, request);
  };
}

function fixedAnswer(path: string, request: RecordedRequest): RecordedAnswer {
  if (path.includes("/sdk/compatibility/")) return json({ isCompatible: true, message: "" });
  if (path.endsWith("/getMultipartPreSignedUrls")) {
    // Three levels: on a host without a name the Azure client takes them for account, container and blob.
    const signedUrl = `<server>/storage/bucket/${textOf(request, "fileId")}?sig=made-up`;
    return json({ parts: [{ PartNumber: 1, signedUrl }] });
  }
  if (request.method === "PUT") {
    const isBlock = request.query.some(([name, value]) => name === "comp" && value === "block");
    const headers = { etag: `"etag-of-${path.split("/").at(-1) ?? ""}"` };
    return { status: isBlock ? 201 : 200, headers, body: { kind: "none" } };
  }
  if (path.endsWith("/finalizeMultipartUpload")) return { status: 204, body: { kind: "none" } };
  if (path.endsWith("/complete")) return json({ uploadedFileList: ["dock-3_photo-1.jpg"] });
  if (path.endsWith("/getCollectionIdByName")) return json({ collectionId: "collection-1" });
  if (path.endsWith("/getCollectionDetails")) return json({ isSuccess: true, itemDetails: { storagePath: "dock-3" } });
  if (path.endsWith("/update")) return json({ isSuccess: true });
  if (path.endsWith("/getuploadProgress")) return json({ isSuccess: true, progress: 100 });
  if (path.endsWith("/labels/create")) return json({ label: "label-1" });
  return { status: 404, body: { kind: "json", value: { error: { message: `not recorded: ${path}` } } } };
}

/** One reference for each class, attribute and value that was asked for. */
function references(request: RecordedRequest): Json {
  const labels = bodyOf(request)["labels"] as Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  return Object.fromEntries(
    Object.entries(labels).map(([label, attributes]) => {
      const texts = Object.entries(attributes).map(([name, values]) => [
        name,
        { ref: `ref-${label}-${name}`, texts: Object.fromEntries(values.map((v) => [v, `ref-${label}-${name}-${v}`])) },
      ]);
      return [label, { ref: `ref-${label}`, color: "#20a0ff", texts: Object.fromEntries(texts) as Json }];
    }),
  );
}

function bodyOf(request: RecordedRequest): Readonly<Record<string, Json>> {
  return request.body.kind === "json" ? (request.body.value as Readonly<Record<string, Json>>) : {};
}

function textOf(request: RecordedRequest, key: string): string {
  const value = bodyOf(request)[key];
  return typeof value === "string" ? value : "";
}

function json(value: Json): RecordedAnswer {
  return { status: 200, body: { kind: "json", value } };
}
