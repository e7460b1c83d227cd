import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { AgentError } from "../../../src/core/errors.ts";
import { layernextLimits } from "../../../src/core/platform-limits.ts";
import { parseAnnotationFile } from "../../../src/targets/layernext/annotation-file.ts";
import { uploadAnnotatedFiles } from "../../../src/targets/layernext/annotation-upload.ts";
import type { JobState, LayernextClient } from "../../../src/targets/layernext/client.ts";
import { jobFailed, waitForJob } from "../../../src/targets/layernext/job.ts";
import { transferFile } from "../../../src/targets/layernext/transfer.ts";
import type { JsonObject } from "../../../src/targets/json.ts";
import { fileProblem } from "../../files.ts";
import { jsonObject, modelName, textOption } from "./options.ts";
import type { Operation, OperationCall } from "../platform.ts";
import { usageError } from "../run-operation.ts";

type Call = OperationCall<LayernextClient>;

const uploadImages: Operation<LayernextClient> = {
  name: "upload-images",
  summary: "put pictures into a collection, all steps; what is there already is not sent again",
  arguments: [
    { name: "collection", description: "its name; made by the server where it is new" },
    { name: "path", description: "pictures, or folders of pictures (.jpg, .jpeg, .png)", many: true },
  ],
  options: [
    { flags: "--metadata <json>", description: "an object, for every picture", parse: jsonObject },
    { flags: "--override-metadata", description: "replace the metadata that is there" },
    { flags: "--storage-prefix <path>", description: "folder in the server's bucket" },
    { flags: "--wait", description: "until the server's job has taken them in" },
    { flags: "--annotations <file>", description: "JSON with a model run for them, sent when the job is done" },
    { flags: "--model-id <name>", description: "name of that model run" },
  ],
  async run(call) {
    const { args, options } = call;
    const annotations = await annotationsOf(call);
    const files = await picturesOf(args[1] as readonly string[]);
    const uploads: object[] = [];
    for (let at = 0; at < files.length; at += layernextLimits.filesPerUploadMax) {
      const some = files.slice(at, at + layernextLimits.filesPerUploadMax);
      const { jobId, ...sent } = await uploadSome(call, some, { done: at, total: files.length });
      const waits = jobId !== undefined && (options["wait"] === true || annotations !== undefined);
      const job = waits ? await finished(call, jobId) : undefined;
      if (jobId !== undefined && annotations !== undefined) await annotate(call, jobId, some, annotations);
      uploads.push({ jobId, ...sent, ...(job === undefined ? {} : { job: job.status }) });
    }
    const names = new Set(files.map((file) => basename(file)));
    const unmatched = (annotations?.images ?? []).filter(({ image }) => !names.has(image)).map(({ image }) => image);
    // Nothing in a file of annotations is dropped without a word.
    if (unmatched.length > 0) call.incomplete();
    return { files: files.length, uploads, ...(unmatched.length > 0 ? { unmatched } : {}) };
  },
};

async function uploadSome(
  { client, args, options, read, progress, signal, incomplete }: Call,
  files: readonly string[],
  { done, total }: { readonly done: number; readonly total: number },
) {
  const upload = await client.images.begin(
    {
      collection: String(args[0]),
      fileNames: files.map((file) => basename(file)),
      metadata: (options["metadata"] ?? {}) as JsonObject,
      overrideMetadata: options["overrideMetadata"] === true,
      storagePrefix: textOption(options, "storagePrefix"),
    },
    signal,
  );
  const removed: string[] = [];
  for (const [at, file] of files.entries()) {
    const sending = { name: basename(file), bytes: await read(file), step: { step: "open" } as const };
    const { step } = await transferFile(client.images, upload, sending, signal).catch((error: unknown) => {
      throw named(file, error);
    });
    if (step === "removed") removed.push(file);
    progress(done + at + 1, total, "pictures");
  }
  if (removed.length > 0) incomplete();
  const { uniqueName } = await client.images.complete(upload, files.length, signal);
  const { jobId, collectionId } = upload;
  return {
    jobId,
    collectionId,
    ...(files.length === 1 ? { uniqueName } : {}),
    ...(removed.length > 0 ? { removed } : {}),
  };
}

/** The storage speaks of addresses, and people of files. */
function named(file: string, error: unknown): unknown {
  if (!(error instanceof AgentError)) return error;
  const { code, message, disposition, facts } = error;
  return new AgentError(code, `${file}: ${message}`, { disposition, facts, cause: error });
}

async function annotationsOf({ client, options, read }: Call) {
  const [file, model] = [textOption(options, "annotations"), textOption(options, "modelId")];
  if (file === undefined && model === undefined) return undefined;
  if (file === undefined || model === undefined) throw usageError("--annotations and --model-id go together");
  if (!client.generation.addressesJobs) {
    throw usageError("this generation does not find images by their job: send --annotations with upload-modelrun");
  }
  return { operationId: modelName(model), images: parseAnnotationFile(await read(file), { metadata: "free" }) };
}

async function annotate(
  { client, signal, seams }: Call,
  jobId: string,
  files: readonly string[],
  { operationId, images }: NonNullable<Awaited<ReturnType<typeof annotationsOf>>>,
): Promise<void> {
  const names = new Set(files.map((file) => basename(file)));
  const place = { by: "job", jobId } as const;
  const of = images.filter(({ image }) => names.has(image));
  const upload = { operationId, kind: "modelRun", files: of, place, nowMs: seams.clock.nowMs() } as const;
  await uploadAnnotatedFiles(client, upload, signal);
}

const jobStatus: Operation<LayernextClient> = {
  name: "job-status",
  summary: "how far the server's job is",
  arguments: [{ name: "job-id", description: "of an upload" }],
  options: [{ flags: "--wait", description: "until it has ended" }],
  async run(call) {
    const jobId = String(call.args[0]);
    return call.options["wait"] === true ? finished(call, jobId) : call.client.jobStatus(jobId, call.signal);
  },
};

/** As long as the person waits. Fails with `JOB_FAILED`. */
async function finished({ client, signal, seams }: Call, jobId: string): Promise<JobState> {
  const { pollFirstMs, pollMaxMs } = layernextLimits;
  const pace = { pollFirstMs, pollMaxMs, waitMs: Infinity };
  const state = await waitForJob(client, jobId, pace, seams.clock, signal);
  if (state.status === "failed") throw jobFailed(jobId);
  return state;
}

/** Every picture once. A folder gives those directly in it, by name. */
async function picturesOf(paths: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const path of paths) files.push(...(await picturesAt(path)));
  if (files.length === 0) throw usageError("there is no picture");
  const names = files.map((file) => basename(file));
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw usageError(`two pictures are called ${twice}, and a collection takes a name once`);
  return files;
}

async function picturesAt(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).filter((name) => /\.(jpe?g|png)$/i.test(name));
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw new AgentError("USAGE_PATH", `cannot read ${path}: ${fileProblem(error)}`, { disposition: "fatal" });
  }
}

export const layernextImages: readonly Operation<LayernextClient>[] = [uploadImages, jobStatus];
