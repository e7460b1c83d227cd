import { basename } from "node:path";
import { AgentError } from "../../../src/core/errors.ts";
import { remoLimits } from "../../../src/core/platform-limits.ts";
import type { RemoClient } from "../../../src/targets/remo/client.ts";
import { isFinished } from "../../../src/targets/remo/session-status.ts";
import type { RemoFile, UploadOptions } from "../../../src/targets/remo/uploads.ts";
import { collected } from "../../option-values.ts";
import type { Operation, OperationCall } from "../platform.ts";
import { datasetArgument, idAt, numberOption, taskOf, textsOption, uploadOptions } from "./options.ts";
import { usageError } from "../run-operation.ts";

type Call = OperationCall<RemoClient>;

/** A person waits for the server no longer than this. */
const waitMaxMs = 10 * 60_000;

const contentTypes: Readonly<Record<string, string>> = {
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".png": "image/png",
  ".tif": "image/tiff",
  ".tiff": "image/tiff",
  ".zip": "application/zip",
  ".tar": "application/x-tar",
  ".gz": "application/gzip",
  ".bz2": "application/x-bzip2",
};

const uploadFiles: Operation<RemoClient> = {
  name: "upload-files",
  summary: "upload images, annotation files and archives",
  document: "Upload files",
  arguments: [datasetArgument, { name: "files", description: "files of this machine", many: true }],
  options: uploadOptions,
  async run(call) {
    const { client, args, read, signal, progress } = call;
    const datasetId = idAt(call, 0, "dataset");
    const paths = ordered((args[1] ?? []) as readonly string[]);
    return inSession(call, datasetId, async (options) => {
      let answer: unknown;
      let done = 0;
      // One group in memory at a time.
      for (let group: RemoFile[] = [], at = 0; at < paths.length; at += 1) {
        const path = paths[at] ?? "";
        group.push(fileOf(path, await read(path)));
        const bytes = group.reduce((sum, file) => sum + file.bytes.length, 0);
        if (bytes < remoLimits.groupBytesMax && at + 1 < paths.length) continue;
        // Without a session the server opens one for the first group, into which the others go: only one is completed.
        const sessionId = options.sessionId ?? sessionIn(answer);
        answer = await client.uploads.files(datasetId, group, { ...options, sessionId }, signal);
        done += group.length;
        group = [];
        progress(done, paths.length, "files");
      }
      return { uploaded: done, answer };
    });
  },
};

const linkFiles: Operation<RemoClient> = {
  name: "link-files",
  summary: "link files of the server's own disk, and have it fetch addresses",
  document: "Link local files / upload from URL",
  arguments: [datasetArgument],
  options: [
    {
      flags: "--local-file <path>",
      description: "file or folder on the server, not on this machine; several times",
      parse: (text, before) => collected(text, before as readonly string[] | undefined),
      document: "local_files",
    },
    {
      flags: "--url <address>",
      description: "an image, annotation file or archive; several times",
      parse: (text, before) => collected(text, before as readonly string[] | undefined),
      document: "urls",
    },
    ...uploadOptions,
  ],
  async run(call) {
    const { client, options: given, signal } = call;
    const datasetId = idAt(call, 0, "dataset");
    const [localFiles, urls] = [textsOption(given, "localFile"), textsOption(given, "url")];
    if (localFiles.length + urls.length === 0) throw usageError("give --local-file or --url");
    return inSession(call, datasetId, async (options) => {
      const answer = await client.uploads.link(datasetId, { localFiles, urls }, options, signal);
      return { linked: localFiles.length + urls.length, answer };
    });
  },
};

const openSession: Operation<RemoClient> = {
  name: "open-session",
  summary: "open an upload session",
  arguments: [datasetArgument],
  async run(call) {
    return { session_id: await call.client.uploads.openSession(idAt(call, 0, "dataset"), call.signal) };
  },
};

const sessionArgument = { name: "session", description: "id of the upload session" };

const completeSession: Operation<RemoClient> = {
  name: "complete-session",
  summary: "have the server work through an upload session",
  arguments: [sessionArgument],
  async run({ client, args, signal }) {
    return { begun: await client.uploads.completeSession(String(args[0]), signal) };
  },
};

const sessionStatus: Operation<RemoClient> = {
  name: "session-status",
  summary: "how far an upload session is, and what became of its files",
  arguments: [sessionArgument],
  async run({ client, args, signal }) {
    const status = await client.uploads.sessionStatus(String(args[0]), signal);
    return status === undefined ? { state: "unknown session" } : shownStatus(status);
  },
};

export const remoUploadOperations = [uploadFiles, linkFiles, openSession, completeSession, sessionStatus];

/**
 * What `work` uploads goes into one session, which is completed and waited for. Without a session new servers open one of
 * their own and leave it; it is completed too.
 */
async function inSession(
  call: Call,
  datasetId: number,
  work: (options: UploadOptions) => Promise<{ readonly answer: unknown }>,
): Promise<unknown> {
  const { client, options, signal } = call;
  const wanted: UploadOptions = {
    annotationSetId: numberOption(options, "annotationSetId"),
    annotationTask: taskOf(options),
    folderId: numberOption(options, "folderId"),
  };
  const opened = options["session"] === false ? undefined : await client.uploads.openSession(datasetId, signal);
  try {
    const { answer, ...result } = await work(opened === undefined ? wanted : { ...wanted, sessionId: opened });
    const id = opened ?? sessionIn(answer);
    if (id === undefined) return { ...result, answer };
    await client.uploads.completeSession(id, signal);
    return { ...result, session: id, status: await finished(call, id) };
  } catch (error) {
    // What has arrived counts; nothing documented cancels a session.
    if (opened !== undefined && !signal.aborted)
      await client.uploads.completeSession(opened, signal).catch(() => false);
    throw error;
  }
}

async function finished({ client, signal, note, seams, incomplete }: Call, id: string): Promise<unknown> {
  const { clock } = seams;
  const endMs = clock.monotonicMs() + waitMaxMs;
  for (let waitMs: number = remoLimits.pollFirstMs; ; waitMs = Math.min(2 * waitMs, remoLimits.pollMaxMs)) {
    const status = await client.uploads.sessionStatus(id, signal);
    if (status !== undefined && isFinished(status)) {
      for (const [name, text] of status.fileErrors) note(`${name}: ${text}`);
      if (status.state === "failed" || status.images.failed > 0 || status.fileErrors.size > 0) incomplete();
      return shownStatus(status);
    }
    if (clock.monotonicMs() > endMs) {
      const message = `session ${id} is not finished after ${waitMaxMs / 60_000} minutes; ask again with session-status`;
      throw new AgentError("REMO_PENDING", message, { disposition: "retry" });
    }
    await clock.sleep(waitMs, signal);
  }
}

function shownStatus(status: NonNullable<Awaited<ReturnType<RemoClient["uploads"]["sessionStatus"]>>>): object {
  return { ...status, fileErrors: Object.fromEntries(status.fileErrors) };
}

function sessionIn(answer: unknown): string | undefined {
  const id = (answer as { session_id?: unknown } | undefined)?.session_id;
  return typeof id === "string" ? id : undefined;
}

/** Images first, as annotations name them; archives last. */
function ordered(paths: readonly string[]): readonly string[] {
  const rank = (path: string): number => {
    if (/\.(csv|xml|json)$/i.test(path)) return 1;
    return /\.(zip|tar|gz|bz2)$/i.test(path) ? 2 : 0;
  };
  return [...paths].sort((a, b) => rank(a) - rank(b));
}

function fileOf(path: string, bytes: Buffer): RemoFile {
  const contentType = contentTypes[/\.[a-z0-9]+$/.exec(path.toLowerCase())?.[0] ?? ""];
  return { name: basename(path), bytes, ...(contentType === undefined ? {} : { contentType }) };
}
