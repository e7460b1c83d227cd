import { requireTruth, strictBase64, violated, ContractViolation, type SandboxTruth } from "../checks.ts";
import type { SandboxAnswer } from "../http-sandbox.ts";
import { refusedWith, type SandboxBatch, type SandboxEntry, type SandboxVersion } from "./contract.ts";
import { judgePicture, type PictureJudgement } from "./pictures.ts";
import { shownImage, type SandboxProject, spelledFor } from "./project.ts";
import type { CustomVisionSwitches } from "./switches.ts";

/** What creating images needs to know of the sandbox around it. */
export interface CreateContext {
  readonly version: SandboxVersion;
  readonly project: SandboxProject;
  readonly switches: CustomVisionSwitches;
  readonly detectsObjects: boolean;
  readonly oneTagOnly: boolean;
  readonly origin: string;
  readonly truthOf: (sha256: string) => SandboxTruth | undefined;
  /** Remembers what is against the contract although the request as a whole is answered. */
  readonly violate: (sentence: string) => void;
}

interface Judged extends SandboxEntry {
  readonly judgement: PictureJudgement | { readonly kind: "bad"; readonly status: "ErrorSource" };
  readonly bytes?: Buffer;
}

/** Of base64 contents: what is no base64 is the image's failure, and a violation all the same. */
export function decoded({ name, source }: SandboxEntry, context: CreateContext): Buffer | undefined {
  try {
    return strictBase64(source, `the contents of ${name}`);
  } catch (error) {
    if (!(error instanceof ContractViolation)) throw error;
    context.violate(error.message);
    return undefined;
  }
}

/** Judges all images without storing any; the function returned stores those that are good and answers for each. */
export function judgeCreate(
  batch: SandboxBatch,
  bytesOf: (entry: SandboxEntry) => Buffer | undefined,
  context: CreateContext,
): () => SandboxAnswer {
  const judged = batch.entries.map((entry): Judged => {
    const bytes = bytesOf(entry);
    const tagIds = [...new Set([...batch.tagIds, ...entry.tagIds])];
    if (bytes === undefined) return { ...entry, tagIds, judgement: { kind: "bad", status: "ErrorSource" } };
    return { ...entry, tagIds, bytes, judgement: judgePicture(bytes) };
  });
  if (!context.detectsObjects && judged.some(({ regions }) => regions.length > 0)) {
    refusedWith("BadRequestImageRegions", "regions in a project that classifies");
  }
  for (const image of judged) requireShown(image, context);
  return () => answerAll(judged, batch, context);
}

/** Where it is known what an image shows, that and nothing else must stand beside it. */
function requireShown(
  { judgement, regions, tagIds }: Judged,
  { project, truthOf, detectsObjects, oneTagOnly }: CreateContext,
) {
  if (judgement.kind === "bad") return;
  const { sha256, width, height } = judgement.picture;
  const truth = truthOf(sha256);
  if (truth === undefined) return;
  const labelOf = (tagId: string) => project.tag(tagId)?.name ?? tagId;
  if (detectsObjects) {
    const boxes = regions.map(({ tagId, left, top, width: w, height: h }) => ({
      label: labelOf(tagId),
      box: { left: left * width, top: top * height, width: w * width, height: h * height },
    }));
    requireTruth(boxes, truth);
    return;
  }
  const shown = new Set(truth.boxes.map(({ label }) => label));
  const tags = tagIds.map(labelOf);
  if (tags.some((tag) => !shown.has(tag))) violated(`the tags ${tags.join(", ")} are not what the image shows`);
  const wanted = oneTagOnly ? Math.min(1, shown.size) : shown.size;
  if (tags.length !== wanted) violated(`${tags.length} tags for an image that shows ${shown.size} labels`);
}

function answerAll(judged: readonly Judged[], { metadata }: SandboxBatch, context: CreateContext): SandboxAnswer {
  const { version, switches } = context;
  const entries = judged.flatMap((image) => {
    const forced = switches.statusOf(image.name);
    if (forced === "none") return [];
    if (forced === "alien") return [{ sourceUrl: `alien-${image.name}`, status: "OK", image: null }];
    const result = forced === undefined ? store(image, metadata, context) : { status: forced, image: null };
    return [{ sourceUrl: switches.quotedNames ? `"${image.name}"` : image.name, ...result }];
  });
  // The order is not promised, so it is never the one that was sent.
  entries.reverse();
  const good = entries.every(({ status }) => status === "OK") && entries.length === judged.length;
  const body = spelledFor(version, { isBatchSuccessful: good, images: entries });
  return { status: version === "v1.2" || good ? 200 : 207, body };
}

function store(
  { name, judgement, tagIds, regions, bytes }: Judged,
  metadata: SandboxBatch["metadata"],
  context: CreateContext,
): { readonly status: string; readonly image: object | null } {
  const { project, switches, version, origin } = context;
  if (judgement.kind === "bad") return { status: judgement.status, image: null };
  const status = annotationStatus([...tagIds, ...regions.map(({ tagId }) => tagId)], context);
  if (status !== undefined) return { status, image: null };
  const { picture } = judgement;
  const known = project.holds(picture.sha256);
  if (!known && project.images().length >= switches.imagesMax) return { status: "ErrorLimitExceed", image: null };
  const kept = bytes === undefined ? {} : { bytes };
  const image = project.keep(picture, { name, tagIds, regions, metadata, ...kept });
  const shown = shownImage(version, image, { tags: project.tags(), origin });
  return { status: known ? "OKDuplicate" : "OK", image: shown };
}

function annotationStatus(tagIds: readonly string[], context: CreateContext): string | undefined {
  const { project, switches, oneTagOnly, detectsObjects } = context;
  const tags = [...new Set(tagIds)].map((id) => project.tag(id));
  if (tags.includes(undefined)) return switches.unknownTag;
  if (oneTagOnly && !detectsObjects && tags.length > 1) return "ErrorTagLimitExceed";
  const negatives = tags.filter((tag) => tag?.type === "Negative").length;
  return negatives > 0 && negatives < tags.length ? "ErrorNegativeAndRegularTagOnSameImage" : undefined;
}
