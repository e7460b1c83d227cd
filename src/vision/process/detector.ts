import { availableParallelism } from "node:os";
import { clipBox } from "../../core/detections.ts";
import { AgentError } from "../../core/errors.ts";
import { visionLimits } from "../../core/limits.ts";
import type { ModelInfo } from "../../core/ports.ts";
import type { Detection } from "../../core/types.ts";
import type { Reading } from "../config.ts";
import type { ModelSpec } from "../model.ts";
import type { DetectAnswer, ModelSettings } from "../protocol.ts";
import type { ConstantInput, DecodeContext, Family, Outputs, TensorFacts } from "./families/family.ts";
import { InputTensor, type TensorLayout } from "./fill.ts";
import type { Imaging, Pixels } from "./imaging.ts";
import { inputSize, openSize, pictureInput, tensorLayout } from "./input.ts";
import { labelOf, labelsFrom } from "./labels.ts";
import { boxInPicture, placePicture, polygonInPicture, type Fit, type Placement } from "./letterbox.ts";
import { Candidates, suppress } from "./nms.ts";
import { readOnnxMetadata } from "./onnx-metadata.ts";
import { recogniseFamily, type Recognised } from "./recognise.ts";
import { openSession, type Session } from "./session.ts";

/** A loaded model: picture in, detections out. */

/** Below this a second thread costs more than it brings on a gateway with other work. */
const SINGLE_THREAD_RUN_MS = 10;

interface Plan extends Recognised {
  readonly picture: TensorFacts;
  readonly layout: TensorLayout;
  readonly constants: readonly ConstantInput[];
  readonly reading: Reading;
  readonly fit: Fit;
  readonly classAgnostic: boolean;
  readonly labels: readonly string[] | undefined;
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
    return new Detector(session, plan, settings);
  }
  await session.release();
  return new Detector(await openSession(model.file, threads), plan, settings);
}

async function settle(
  model: ModelSpec,
  metadata: ReadonlyMap<string, string>,
  session: Session,
  settings: ModelSettings,
): Promise<{ readonly plan: Plan; readonly runMs: number }> {
  const plan = planFor(model, metadata, session);
  const { family, runMs } = await new Detector(session, plan, settings).warmUp(model.manifest.family === undefined);
  return { plan: { ...plan, family, info: { ...plan.info, family: family.name } }, runMs };
}

function planFor(model: ModelSpec, metadata: ReadonlyMap<string, string>, session: Session): Plan {
  const { manifest, file } = model;
  const given = manifest.labels ?? labelsFrom(metadata.get("names"));
  const picture = pictureInput(session.inputs, file);
  const input = inputSize(picture, manifest, metadata, file);
  const signature = { inputs: session.inputs, outputs: session.outputs, metadata, labels: given, input };
  const { family, classes } = recogniseFamily(signature, manifest.family, file);
  if (input === undefined) throw openSize(file);
  const usual = family.defaults.labels;
  const labels = given ?? (usual?.length === classes ? usual : undefined);
  const names = labels ?? Array.from({ length: classes }, (_, index) => labelOf(undefined, index));
  return {
    family,
    classes,
    picture,
    layout: tensorLayout(picture, input, manifest, family.defaults),
    constants: family.constants?.(signature, input) ?? [],
    reading: manifest.outputs ?? {},
    fit: manifest.input?.fit ?? family.defaults.fit,
    classAgnostic: manifest.nms?.classAgnostic ?? false,
    labels,
    info: {
      name: model.name,
      sha256: model.sha256,
      inputWidth: input.width,
      inputHeight: input.height,
      threshold: manifest.threshold ?? family.defaults.threshold,
      nmsIou: manifest.nms?.iou ?? family.defaults.nmsIou,
      runtime: session.runtime,
      family: family.name,
      labels: names,
    },
  };
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
  readonly #settings: ModelSettings;
  readonly #input: InputTensor;
  readonly #dims: readonly number[];
  readonly #context: DecodeContext;
  readonly #candidates = new Candidates();

  constructor(session: Session, plan: Plan, settings: ModelSettings) {
    this.info = plan.info;
    this.#session = session;
    this.#plan = plan;
    this.#settings = settings;
    this.#input = new InputTensor(plan.layout);
    const { width, height, layout } = plan.layout;
    this.#dims = layout === "nchw" ? [1, 3, height, width] : [1, height, width, 3];
    const { classes, reading } = plan;
    this.#context = { classes, inputWidth: width, inputHeight: height, scoreMin: visionLimits.scoreFloor, reading };
  }

  /**
   * Runs twice on an empty picture: the first run also allocates, the second is timed. Fails when the outputs are not
   * what they look like; where they can be read in several ways, says which one holds.
   */
  async warmUp(choosing: boolean): Promise<{ readonly runMs: number; readonly family: Family }> {
    const outputs = await this.#run();
    const { family } = this.#plan;
    const doubt = family.doubt?.(outputs, this.#context);
    if (doubt !== undefined) {
      throw new AgentError("MODEL_UNKNOWN_FAMILY", `${this.info.name} looks like ${family.name}, but ${doubt}`, {
        disposition: "fatal",
      });
    }
    const variant = (choosing ? family.variant?.(outputs, this.#context) : undefined) ?? family;
    variant.decode(outputs, this.#context, this.#candidates);
    const startedMs = performance.now();
    await this.#run();
    return { runMs: performance.now() - startedMs, family: variant };
  }

  /** The picture's pixels, once for everything: at the model's size, or with `exact` at its own. */
  async decode(picture: Buffer, exact: boolean, imaging: Imaging): Promise<DecodedPicture> {
    const startedMs = performance.now();
    const { width, height } = await imaging.size(picture);
    const { layout, fit } = this.#plan;
    const placement = placePicture(width, height, layout.width, layout.height, fit);
    const pixels = exact ? await imaging.pixels(picture) : await imaging.pixelsAt(picture, placement);
    return { width, height, pixels, placement, exact, decodeMs: performance.now() - startedMs };
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

  async #run(): Promise<Outputs> {
    const { picture, constants } = this.#plan;
    return this.#session.run(picture, this.#input.data, this.#dims, constants);
  }

  #decode(outputs: Outputs): void {
    this.#candidates.clear();
    this.#plan.family.decode(outputs, this.#context, this.#candidates);
  }

  #detections(outputs: Outputs, width: number, height: number, placement: Placement): readonly Detection[] {
    const { candidatesMax, detectionsMax } = this.#settings;
    const { classAgnostic, family, info } = this.#plan;
    const options = { iouMax: info.nmsIou, classAgnostic, candidatesMax, detectionsMax };
    const outlineMin = info.threshold * visionLimits.outlineScoreShare;
    const found: Detection[] = [];
    const { left, top, right, bottom, score, classIndex } = this.#candidates;
    for (const index of suppress(this.#candidates, options)) {
      const box = boxInPicture(left[index] ?? 0, top[index] ?? 0, right[index] ?? 0, bottom[index] ?? 0, placement);
      const clipped = clipBox(box, width, height);
      if (clipped === undefined) continue;
      const polygon =
        (score[index] ?? 0) < outlineMin
          ? undefined
          : family.outline?.(outputs, this.#context, this.#candidates.at(index));
      found.push({
        label: labelOf(this.#plan.labels, classIndex[index] ?? 0),
        score: score[index] ?? 0,
        box: clipped,
        ...(polygon === undefined ? {} : { polygon: polygonInPicture(polygon, placement, width, height) }),
      });
    }
    return found;
  }
}
