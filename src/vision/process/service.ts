import { faintDetections, shownDetections } from "../../core/detections.ts";
import { AgentError, asAgentError } from "../../core/errors.ts";
import { visionLimits } from "../../core/vision-limits.ts";
import type { PictureMeasures } from "../../core/picture.ts";
import type { ModelInfo, WatchOptions } from "../../core/vision-port.ts";
import type { Inspection } from "../inspection.ts";
import type { ModelSpec } from "../model.ts";
import type { Answers, DetectAnswer, ImageAnswer, ModelSettings, Task, WatchAnswer } from "../protocol.ts";
import { CameraWatches, type Sighting } from "./camera-watch.ts";
import { loadDetector, type DecodedPicture, type Detector } from "./detector.ts";
import { openImaging, type Imaging, type Jpeg } from "./imaging.ts";
import { MotionMeter } from "./motion.ts";
import { readOnnxGraph } from "./onnx-graph.ts";
import { readOnnxMetadata } from "./onnx-metadata.ts";
import { shownMetadata, usageOf } from "./reports.ts";
import { ThumbnailMaker } from "./thumbnail.ts";
import { TiledDetector } from "./tiled-detector.ts";

/** Everything the vision process does, without the process: one task after another, never two at once. */

interface Done {
  readonly result: Answers[keyof Answers];
  readonly image?: Buffer;
}

export class VisionService {
  #imaging: Imaging | undefined;
  #detector: Detector | undefined;
  #tiled: TiledDetector | undefined;
  readonly #watches = new CameraWatches(new ThumbnailMaker(), new MotionMeter());
  /** Of the detector. */
  #loaded = { file: "", loadMs: 0 };
  /** Why there is no detector: told again to whoever asks for one. */
  #loadError = new AgentError("MODEL_NONE", "no model is loaded", { disposition: "fatal" });

  async perform(task: Task, body: Buffer): Promise<Done> {
    switch (task.kind) {
      case "load":
        return { result: await this.#load(task.model, task.settings) };
      case "detect":
        return { result: await this.#detect(body, task.exact) };
      case "watch":
        return { result: await this.#watch(body, task.options) };
      case "measure":
        return { result: await this.#measure(body, task.cameraId) };
      case "reencode":
        return picture(await (await this.#ready()).reencode(body, task.options));
      case "thumbnail":
        return picture(await (await this.#ready()).thumbnail(body, task.sideMax, task.quality));
      case "paint":
        return picture(await (await this.#ready()).paint(body, task.mask));
      case "pixelate":
        return picture(await (await this.#ready()).pixelate(body, task.boxes));
      case "render":
        return picture(await (await this.#ready()).render(task.svg, task.quality, body.length > 0 ? body : undefined));
      case "inspect":
        return { result: await this.#inspect(body) };
      case "usage":
        return { result: usageOf(process) };
    }
  }

  async #load(model: ModelSpec, settings: ModelSettings): Promise<ModelInfo> {
    const startedMs = performance.now();
    try {
      const detector = await loadDetector(model, settings);
      this.#loaded = { file: model.file, loadMs: performance.now() - startedMs };
      this.#detector = detector;
      const { tiles } = settings;
      if (tiles === undefined) return detector.info;
      this.#tiled = new TiledDetector(detector, tiles);
      return { ...detector.info, tiles };
    } catch (error) {
      this.#loadError = asAgentError(error, `loading the model ${model.file}`);
      throw this.#loadError;
    }
  }

  async #detect(image: Buffer, exact: boolean): Promise<DetectAnswer> {
    const detector = this.#detector;
    if (detector === undefined) throw this.#loadError;
    return this.#look(detector, await detector.decode(image, exact, await this.#ready()), image);
  }

  async #look(detector: Detector, decoded: DecodedPicture, image: Buffer): Promise<DetectAnswer> {
    return this.#tiled?.detect(decoded, image, await this.#ready()) ?? detector.detect(decoded);
  }

  /** Decodes once: for the gate, for the measures, and for the model where it has to run. */
  async #watch(
    image: Buffer,
    { exact, cameraId, monotonicMs, gate, force, measure }: WatchOptions,
  ): Promise<WatchAnswer> {
    const detector = this.#detector;
    if (detector === undefined) throw this.#loadError;
    const decoded = await detector.decode(image, exact, await this.#ready());
    const startedMs = performance.now();
    const watch = this.#watches.of(cameraId);
    if (gate !== undefined || measure) watch.take(decoded.pixels, decoded);
    // Asked even where its answer does not count: motion holds on for some pictures.
    const needed = gate === undefined || watch.needsModel(monotonicMs, gate);
    const measured = measure ? { measures: watch.measure(decoded.pixels) } : {};
    const measureMs = performance.now() - startedMs;
    if (!needed && !force) {
      const { width, height, decodeMs } = decoded;
      return { kind: "still", width, height, ...measured, timings: { decodeMs, measureMs } };
    }
    const found = await this.#look(detector, decoded, image);
    if (gate !== undefined) watch.saw(sightingOf(found, detector.info, monotonicMs));
    return { kind: "detected", ...found, ...measured, timings: { ...found.timings, measureMs } };
  }

  async #measure(image: Buffer, cameraId: string | undefined): Promise<PictureMeasures> {
    const imaging = await this.#ready();
    const size = await imaging.size(image);
    const pixels = await imaging.pixelsWithin(image, visionLimits.measureSidePixels);
    const watch = cameraId === undefined ? this.#watches.one() : this.#watches.of(cameraId);
    watch.take(pixels, size);
    return watch.measure(pixels);
  }

  /** Reads the file once more: what it says of itself is wanted seldom, and costs more than a load should. */
  async #inspect(image: Buffer): Promise<Inspection> {
    const detector = this.#detector;
    if (detector === undefined) throw this.#loadError;
    const seen = await detector.inspect(await detector.decode(image, true, await this.#ready()));
    const { file, loadMs } = this.#loaded;
    const graph = readOnnxGraph(file);
    return {
      ...seen,
      loadMs,
      metadata: shownMetadata(readOnnxMetadata(file)),
      ...(graph === undefined ? {} : { graph }),
    };
  }

  async #ready(): Promise<Imaging> {
    this.#imaging ??= await openImaging();
    return this.#imaging;
  }
}

function picture({ jpeg, width, height }: Jpeg): { readonly result: ImageAnswer; readonly image: Buffer } {
  return { result: { width, height }, image: jpeg };
}

/** Below half its threshold a score is noise. */
function sightingOf({ detections }: DetectAnswer, model: ModelInfo, monotonicMs: number): Sighting {
  const shown = shownDetections({ detections, model }).length;
  const doubtful = faintDetections({ detections, model }).length > 0;
  return { monotonicMs, shown, doubtful };
}
