import { readdir, stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { asAgentError } from "../../../src/core/errors.ts";
import { onestepaiLimits } from "../../../src/core/platform-limits.ts";
import { outcomeOf } from "../../../src/core/outcome.ts";
import type { OnestepaiClient } from "../../../src/targets/onestepai/client.ts";
import { aboutFile, fileProblem } from "../../files.ts";
import type { OperationCall } from "../platform.ts";
import { usageError } from "../run-operation.ts";

/** One picture as the document's example finds it. */
interface FolderImage {
  readonly path: string;
  /** Of the folder that it lies in. */
  readonly category: string;
  readonly annotationPath: string | undefined;
}

type Call = Pick<OperationCall<OnestepaiClient>, "client" | "signal" | "read" | "progress" | "note">;

interface Upload {
  readonly datasetId: string;
  readonly uploadId: string;
  readonly skipUnsupportedImages: boolean;
  /** What is known before; the others are created. */
  readonly categories: ReadonlyMap<string, string>;
}

interface Counts {
  uploaded: number;
  failed: number;
}

/**
 * What the document's example does, in its order: create the dataset where one is wanted, start, create a category for
 * each folder that holds pictures, send them all, finish. Beyond it, the finish comes also after a failure and after
 * Ctrl-C, since the dataset would stay locked.
 */
export async function uploadFolder(call: OperationCall<OnestepaiClient>): Promise<unknown> {
  const { client, args, options, signal } = call;
  const { dataset, category: known } = options;
  const create = typeof options["create"] === "string" ? options["create"] : undefined;
  if ((dataset === undefined) === (create === undefined)) throw usageError("give either --dataset ID or --create NAME");
  const folder = resolve(String(args[0]));
  const images = await imagesIn(folder);
  if (images.length === 0) throw usageError(`there is no .jpg and no .png in ${folder}`);
  const datasetId = create === undefined ? String(dataset) : await client.createDataset(create, signal);
  const uploadId = await client.startUploading(datasetId, signal);
  const counts: Counts = { uploaded: 0, failed: 0 };
  const upload: Upload = {
    datasetId,
    uploadId,
    skipUnsupportedImages: options["skipUnsupported"] === true,
    categories: known instanceof Map ? (known as ReadonlyMap<string, string>) : new Map(),
  };
  let finished = false;
  try {
    await sendAll(images, upload, counts, call);
  } finally {
    finished = await finish(upload, call);
  }
  const notSent = images.length - counts.uploaded - counts.failed;
  if (counts.failed > 0 || notSent > 0 || !finished) call.incomplete();
  return { dataset: datasetId, upload: uploadId, images: images.length, ...counts, notSent, finished };
}

async function sendAll(images: readonly FolderImage[], upload: Upload, counts: Counts, call: Call): Promise<void> {
  const categories = await categoriesOf(images, upload, call);
  let failuresInARow = 0;
  for (const [at, image] of images.entries()) {
    if (isStopped(call)) return;
    const categoryId = categories.get(image.category);
    if (categoryId === undefined) {
      counts.failed += 1;
      continue;
    }
    try {
      await sendOne(image, categoryId, upload, call);
      counts.uploaded += 1;
      failuresInARow = 0;
    } catch (error) {
      if (isStopped(call)) return;
      const failure = asAgentError(error, `sending ${image.path}`);
      call.note(aboutFile(image.path, failure));
      counts.failed += 1;
      // A file that cannot be read or is refused says nothing about the next one.
      const own = failure.code === "USAGE_PATH" || outcomeOf(failure).kind === "rejected";
      failuresInARow = own ? 0 : failuresInARow + 1;
      if (failuresInARow >= onestepaiLimits.failuresInARowMax) return;
    }
    call.progress(at + 1, images.length, "pictures");
  }
}

function isStopped({ signal }: Call): boolean {
  return signal.aborted;
}

async function sendOne(image: FolderImage, categoryId: string, upload: Upload, call: Call): Promise<void> {
  const { datasetId, uploadId, skipUnsupportedImages } = upload;
  const { path, annotationPath } = image;
  const annotation = annotationPath === undefined ? undefined : await call.read(annotationPath);
  const chunk = { datasetId, uploadId, name: basename(path), image: await call.read(path), annotation, categoryId };
  await call.client.uploadChunk({ ...chunk, skipUnsupportedImages }, call.signal);
}

/** Id by name. One that is refused is left out; its pictures count as failed. */
async function categoriesOf(
  images: readonly FolderImage[],
  { datasetId, categories: known }: Upload,
  { client, signal, note }: Call,
): Promise<ReadonlyMap<string, string>> {
  const categories = new Map(known);
  for (const name of new Set(images.map(({ category }) => category))) {
    if (categories.has(name)) continue;
    try {
      categories.set(name, await client.createCategory(datasetId, name, signal));
    } catch (error) {
      const failure = asAgentError(error, `creating the category ${name}`);
      if (outcomeOf(failure).kind !== "rejected") throw failure;
      note(
        `the category ${name} was refused; where it exists, give its id: --category "${name}=ID": ${failure.message}`,
      );
    }
  }
  return categories;
}

/** True when the platform took it. */
async function finish({ datasetId, uploadId }: Upload, { client, note }: Call): Promise<boolean> {
  try {
    await client.finishUploading(datasetId, uploadId, new AbortController().signal, onestepaiLimits.finishTimeoutMs);
    return true;
  } catch (error) {
    const { message } = asAgentError(error, "finishing the upload");
    note(`the upload could not be finished, so dataset ${datasetId} stays locked for a while: ${message}`);
    return false;
  }
}

/** Of the folder and all below it, in the order of their paths. Links to folders are not followed. */
async function imagesIn(folder: string, depth = 0): Promise<readonly FolderImage[]> {
  if (depth > onestepaiLimits.folderDepthMax) throw usageError(`${folder}: the folders are nested too deeply`);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw usageError(`cannot read ${folder}: ${fileProblem(error)}`);
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const images: FolderImage[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) images.push(...(await imagesIn(path, depth + 1)));
    else if ([".jpg", ".png"].includes(extname(path)) && (await isFile(path))) {
      const annotationPath = `${path.slice(0, -extname(path).length)}.xml`;
      const annotated = await isFile(annotationPath);
      images.push({ path, category: basename(folder), annotationPath: annotated ? annotationPath : undefined });
    }
    if (images.length > onestepaiLimits.folderImagesMax)
      throw usageError(`${folder}: more pictures than one call takes`);
  }
  return images;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
