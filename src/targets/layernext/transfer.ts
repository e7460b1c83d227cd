import { AgentError, asAgentError } from "../../core/errors.ts";
import { outcomeOf } from "../../core/outcome.ts";
import type { LayernextImages, OpenFile, Upload } from "./images.ts";
import type { FileStep } from "./journal.ts";

export interface FileToSend {
  readonly name: string;
  readonly bytes: Buffer;
  /** How far it had come. */
  readonly step: FileStep;
  /** Called before the bytes go: the server does not have this file. A failure ends the transfer. */
  readonly starting?: () => Promise<void>;
  /** Called before the next step begins; a failure ends the transfer. */
  readonly note?: (step: FileStep) => Promise<void>;
}

type SentStep = Extract<FileStep, { readonly step: "sent" }>;

/**
 * Steps 2 to 5 of one file, from the step it had reached: `done` or `removed` at the end. Two failures are met at once,
 * once each: an address that has expired (fresh ones are asked for, the old is not tried again), and a finalizing that
 * failed (it alone is repeated).
 */
export async function transferFile(
  images: LayernextImages,
  upload: Upload,
  file: FileToSend,
  signal: AbortSignal,
): Promise<FileStep> {
  const note = async (step: FileStep): Promise<FileStep> => {
    await file.note?.(step);
    return step;
  };
  const { step } = file;
  if (step.step === "done" || step.step === "removed") return step;
  if (step.step === "sent" && (await finalizedLater(images, upload, { ...file, step, note }, signal))) {
    return note({ step: "done", fileKey: step.fileKey });
  }
  const opened = await images.initialize(upload, file.name, signal);
  if (opened.kind === "removed") return note({ step: "removed" });
  if (opened.kind === "existing") return note({ step: "done", fileKey: opened.fileKey });
  await file.starting?.();
  const { fileId, fileKey } = opened;
  const { signedUrl, etag } = await sent(images, upload, opened, file.bytes, signal);
  await note({ step: "sent", fileId, fileKey, etag });
  const finalize = () => images.finalize(upload, { fileId, fileKey, etag }, signedUrl, signal);
  await finalize().catch(async (error: unknown) => {
    if (!/^HTTP_5/.test(codeOf(error))) throw error;
    await finalize();
  });
  return note({ step: "done", fileKey });
}

async function sent(images: LayernextImages, upload: Upload, file: OpenFile, bytes: Buffer, signal: AbortSignal) {
  const first = await images.signedUrl(file, signal);
  try {
    return { signedUrl: first, etag: await images.put(upload, first, bytes, signal) };
  } catch (error) {
    if (codeOf(error) !== "HTTP_403" && codeOf(error) !== "STORAGE_REFUSED") throw error;
  }
  const signedUrl = await images.signedUrl(file, signal);
  return { signedUrl, etag: await images.put(upload, signedUrl, bytes, signal) };
}

/**
 * False where the server no longer knows what was sent: then the file begins anew. So it does in the next call where the
 * server fails again: a storage that has given the upload up may make it fail for ever.
 */
async function finalizedLater(
  images: LayernextImages,
  upload: Upload,
  { step, note }: { readonly step: SentStep; readonly note: (step: FileStep) => Promise<FileStep> },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await images.finalize(upload, step, "", signal);
    return true;
  } catch (error) {
    const failure = asAgentError(error, "finalizing an upload");
    if (isRefusal(failure)) return false;
    if (/^HTTP_5/.test(failure.code)) await note({ step: "open" });
    throw failure;
  }
}

/**
 * A refusal of one thing as its own outcome. 404 and 406 speak of the server's side (no such upload, job or file; whatever
 * its business is), so they set no record aside: it waits, suspected.
 */
export function refusalOfOne(error: AgentError): AgentError {
  if (error.code !== "HTTP_404" && error.code !== "HTTP_406") return error;
  return new AgentError("UPLOAD_REFUSED", error.message, { disposition: "retry", cause: error });
}

/** The server understood and said no: neither away nor in trouble, and the credentials are right. */
export function isRefusal(error: AgentError): boolean {
  return error.code === "HTTP_404" || outcomeOf(error).kind === "rejected";
}

function codeOf(error: unknown): string {
  return error instanceof AgentError ? error.code : "";
}
