import { availableParallelism } from "node:os";
import { clipBox, thresholdFor } from "../../core/detections.ts";
import { visionLimits } from "../../core/vision-limits.ts";
import type { ModelInfo } from "../../core/vision-port.ts";
import type { Detection } from "../../core/types.ts";
import type { Reading } from "../config.ts";
import type { ModelRun } from "../inspection.ts";
import type { ModelSpec } from "../model.ts";
import type { DetectAnswer, ModelSettings } from "../protocol.ts";
import type { ConstantInput, DecodeContext, Family, Outputs, TensorFacts } from "./families/family.ts";
import { InputTensor, type TensorLayout } from "./fill.ts";
import type { Imaging, Pixels } from "./imaging.ts";
import { inputSize, openSize, otherInputs, pictureInput, tensorLayout } from "./input.ts";
import { LabelBook } from "./label-rules.ts";
import { labelsFrom } from "./labels.ts";
import { boxInPicture, placePicture, polygonInPicture, type Fit, type Placement } from "./letterbox.ts";
import { Candidates, suppress, type SuppressOptions } from "./nms.ts";
import { readOnnxMetadata } from "./onnx-metadata.ts";
import { doubted, recogniseFamily, type Recognised } from "./recognise.ts";
import { outputReport, scoreMaxOf } from "./reports.ts";
import { openSession, type Session } from "./session.ts";

/** A loaded model: picture in, detections out. */

/** Below this a second thread costs more than it brings on a gateway with other work. */
const SINGLE_THREAD_RUN_MS = 10;
/** Even where nothing is to be seen, a model that works scores some cell higher. */
const FAINTEST_SCORE = 1e-9;

interface Plan extends Recognised {
  readonly picture: TensorFacts;
  readonly layout: TensorLayout;
  readonly constants: readonly ConstantInput[];
  readonly reading: Reading;
  readonly fit: Fit;
  readonly nms: SuppressOptions;
  readonly book: LabelBook;
  readonly info: ModelInfo;
}

/** Loads the model, recognises it, and runs it twice on an empty picture. Fails with a `MODEL_…` code. */
export async function loadDetector(model: ModelSpec, settings: ModelSettings): Promise<Detector> {
  const metadata = readOnnxMetadata(model.file);
  const session = await openSession(model.file, settings.threads ?? 1);
  const { plan, runMs } = await settle(model, metadata, session, settings).catch(async (error: unknown) => {
    // What was opened for nothing is not left to the garbage collector, which knows only its few bytes.
    await session.release();
    throw error;
  });
  const threads = availableParallelism() - 1;
  if (settings.threads !== undefined || threads < 2 || runMs < SINGLE_THREAD_RUN_MS) {
    return new Detector(session, plan);
  }
  await session.release();
  return new Detector(await openSession(model.file, threads), plan);
}

async function settle(
  model: ModelSpec,
  metadata: ReadonlyMap<string, string>,
  session: Session,
  settings: ModelSettings,
): Promise<{ readonly plan: Plan; readonly runMs: number }> {
  const plan = planFor(model, metadata, session, settings);
  const { family, runMs } = await new Detector(session, plan).warmUp(model.file);
  return { plan: { ...plan, family, info: { ...plan.info, family: family.name } }, runMs };
}

function planFor(
  model: ModelSpec,
  metadata: ReadonlyMap<string, string>,
  session: Session,
  settings: ModelSettings,
): Plan {
  const { manifest, rules, file } = model;
  const given = manifest.labels ?? labelsFrom(metadata.get("names"));
  const picture = pictureInput(session.inputs, file);
  const input = inputSize(picture, manifest, metadata, file);
  const reading = manifest.outputs ?? {};
  const signature = { inputs: session.inputs, outputs: session.outputs, metadata, labels: given, input, reading };
  const recognised = recogniseFamily(signature, manifest.family, file);
  if (input === undefined) throw openSize(file);
  const { family, classes } = recognised;
  const { defaults } = family;
  const labels = given ?? (defaults.labels?.length === classes ? defaults.labels : undefined);
  const book = new LabelBook(labels, manifest, rules);
  const constants = family.constants?.(signature, input) ?? [];
  otherInputs(session.inputs, [picture, ...constants], file);
  const nmsIou = manifest.nms?.iou ?? defaults.nmsIou;
  return {
    ...recognised,
    picture,
    layout: tensorLayout(picture, input, manifest, defaults),
    constants,
    reading,
    fit: manifest.input?.fit ?? defaults.fit,
    nms: {
      iouMax: nmsIou,
      classAgnostic: manifest.nms?.classAgnostic ?? false,
      candidatesMax: manifest.nms?.candidatesMax ?? settings.candidatesMax,
      detectionsMax: Math.min(manifest.nms?.detectionsMax ?? Infinity, settings.detectionsMax),
    },
    book,
    info: {
      name: model.name,
      sha256: model.sha256,
      inputWidth: input.width,
      inputHeight: input.height,
      threshold: rules?.threshold ?? manifest.threshold ?? defaults.threshold,
      ...(book.thresholds === undefined ? {} : { thresholds: book.thresholds }),
      nmsIou,
      runtime: session.runtime,
      family: family.name,
      labels: book.names(labels?.length ?? classes),
      ...(book.warnings.length === 0 ? {} : { warnings: book.warnings }),
    },
  };
}

function isEnlarged({ width, height }: Placement, pictureWidth: number, pictureHeight: number): boolean {
  return width >= pictureWidth && height >= pictureHeight && width + height > pictureWidth + pictureHeight;
}

export interface DecodedPicture {
  /** Of the upright picture. */
  readonly width: number;
  readonly height: number;
  readonly pixels: Pixels;
  readonly placement: Placement;
  readonly exact: boolean;
  readonly decodeMs: number;
}

export class Detector {
  readonly info: ModelInfo;
  readonly #session: Session;
  readonly #plan: Plan;
  readonly #input: InputTensor;
  readonly #dims: readonly number[];
  readonly #context: DecodeContext;
  readonly #candidates = new Candidates();

  constructor(session: Session, plan: Plan) {
    this.info = plan.info;
    this.#session = session;
    this.#plan = plan;
    this.#input = new InputTensor(plan.layout);
    const { width, height, layout } = plan.layout;
    this.#dims = layout === "nchw" ? [1, 3, height, width] : [1, height, width, 3];
    const { classes, reading } = plan;
    this.#context = { classes, inputWidth: width, inputHeight: height, scoreMin: visionLimits.scoreFloor, reading };
  }

  /**
   * Runs twice on an empty picture: the first run also allocates, the second is timed. Fails when the outputs are not
   * what they look like; where they can be read in several ways, says which one holds. A manifest's word settles both.
   */
  async warmUp(file: string): Promise<{ readonly runMs: number; readonly family: Family }> {
    const outputs = await this.#run();
    const { family, certainty } = this.#plan;
    const doubt = certainty === undefined ? undefined : family.doubt?.(outputs, this.#context, certainty);
    if (doubt !== undefined) throw doubted(this.#plan, doubt, file);
    const variant = (certainty === undefined ? undefined : family.variant?.(outputs, this.#context)) ?? family;
    variant.decode(outputs, this.#context, this.#candidates);
    const startedMs = performance.now();
    await this.#run();
    return { runMs: performance.now() - startedMs, family: variant };
  }

  /**
   * The picture's pixels, once for everything: at the model's size, or at its own where it is resized exactly. That is
   * also how a picture smaller than the model's input is enlarged: there it costs no more, and gives what the training
   * tools give.
   */
  async decode(picture: Buffer, wantsExact: boolean, imaging: Imaging): Promise<DecodedPicture> {
    const startedMs = performance.now();
    const { width, height } = await imaging.size(picture);
    const placement = this.place(width, height);
    const exact = wantsExact || isEnlarged(placement, width, height);
    const pixels = exact ? await imaging.pixels(picture) : await imaging.pixelsAt(picture, placement);
    return { width, height, pixels, placement, exact, decodeMs: performance.now() - startedMs };
  }

  /** How a picture of this size lies in the model's input. */
  place(width: number, height: number): Placement {
    const { layout, fit } = this.#plan;
    return placePicture(width, height, layout.width, layout.height, fit);
  }

  /** What is one object, where several looks at a picture are made one; `iouMax` for a model that suppresses nothing. */
  merging(iouMax: number): Pick<SuppressOptions, "iouMax" | "classAgnostic" | "detectionsMax"> {
    const { nms } = this.#plan;
    return { ...nms, iouMax: Math.min(nms.iouMax, iouMax) };
  }

  async detect({ width, height, pixels, placement, exact, decodeMs }: DecodedPicture): Promise<DetectAnswer> {
    const startedMs = performance.now();
    if (exact) this.#input.fillExact(pixels.rgb, width, height, placement);
    else this.#input.fill(pixels.rgb, placement);
    const filledMs = performance.now();
    const outputs = await this.#run();
    const ranMs = performance.now();
    this.#decode(outputs);
    const detections = this.#detections(outputs, width, height, placement);
    const timings = {
      decodeMs,
      fillMs: filledMs - startedMs,
      runMs: ranMs - filledMs,
      postMs: performance.now() - ranMs,
    };
    return { detections, width, height, timings };
  }

  /** Runs the picture and says what went in and came out, before any threshold. */
  async inspect({ width, height, pixels, placement }: DecodedPicture): Promise<ModelRun> {
    this.#input.fillExact(pixels.rgb, width, height, placement);
    const outputs = await this.#run();
    const candidates = new Candidates();
    this.#plan.family.decode(outputs, { ...this.#context, scoreMin: FAINTEST_SCORE }, candidates);
    return {
      threads: this.#session.threads,
      inputs: this.#session.inputs,
      outputs: this.#session.outputs.map((facts) => outputReport(facts, outputs.get(facts.name))),
      scoreMax: scoreMaxOf(candidates),
    };
  }

  async #run(): Promise<Outputs> {
    const { picture, constants } = this.#plan;
    return this.#session.run(picture, this.#input.data, this.#dims, constants);
  }

  #decode(outputs: Outputs): void {
    this.#candidates.clear();
    this.#plan.family.decode(outputs, this.#context, this.#candidates);
  }

  #detections(outputs: Outputs, width: number, height: number, placement: Placement): readonly Detection[] {
    const { book, family, info, nms } = this.#plan;
    book.apply(this.#candidates, placement);
    const found: Detection[] = [];
    const { left, top, right, bottom, score, classIndex } = this.#candidates;
    for (const index of suppress(this.#candidates, nms)) {
      const box = boxInPicture(left[index] ?? 0, top[index] ?? 0, right[index] ?? 0, bottom[index] ?? 0, placement);
      const clipped = clipBox(box, width, height);
      if (clipped === undefined) continue;
      const label = book.nameOf(classIndex[index] ?? 0);
      const isOutlined = (score[index] ?? 0) >= thresholdFor(label, info) * visionLimits.outlineScoreShare;
      const polygon = isOutlined ? family.outline?.(outputs, this.#context, this.#candidates.at(index)) : undefined;
      found.push({
        label,
        // A manifest can name a family whose scores these are not.
        score: Math.min(score[index] ?? 0, 1),
        box: clipped,
        ...(polygon === undefined ? {} : { polygon: polygonInPicture(polygon, placement, width, height) }),
      });
    }
    return found;
  }
}
