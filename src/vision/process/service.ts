import { AgentError, asAgentError } from "../../core/errors.ts";
import type { ModelInfo } from "../../core/ports.ts";
import type { ModelSpec } from "../model.ts";
import type { Answers, DetectAnswer, ImageAnswer, ModelSettings, Task } from "../protocol.ts";
import { loadDetector, type Detector } from "./detector.ts";
import { openImaging, type Imaging, type Jpeg } from "./imaging.ts";

/** Everything the vision process does, without the process: one task after another, never two at once. */

interface Done {
  readonly result: Answers[keyof Answers];
  readonly image?: Buffer;
}

export class VisionService {
  #imaging: Imaging | undefined;
  #detector: Detector | undefined;
  /** Why there is no detector: told again to whoever asks for one. */
  #loadError = new AgentError("MODEL_NONE", "no model is loaded", { disposition: "fatal" });

  async perform(task: Task, body: Buffer): Promise<Done> {
    switch (task.kind) {
      case "load":
        return { result: await this.#load(task.model, task.settings) };
      case "detect":
        return { result: await this.#detect(body, task.exact) };
      case "reencode":
        return picture(await (await this.#ready()).reencode(body, task.options));
      case "thumbnail":
        return picture(await (await this.#ready()).thumbnail(body, task.sideMax, task.quality));
      case "render":
        return picture(await (await this.#ready()).render(task.svg, task.quality, body.length > 0 ? body : undefined));
    }
  }

  async #load(model: ModelSpec, settings: ModelSettings): Promise<ModelInfo> {
    try {
      this.#detector = await loadDetector(model, settings);
      return this.#detector.info;
    } catch (error) {
      this.#loadError = asAgentError(error, `loading the model ${model.file}`);
      throw this.#loadError;
    }
  }

  async #detect(image: Buffer, exact: boolean): Promise<DetectAnswer> {
    if (this.#detector === undefined) throw this.#loadError;
    return this.#detector.detect(image, exact, await this.#ready());
  }

  async #ready(): Promise<Imaging> {
    this.#imaging ??= await openImaging();
    return this.#imaging;
  }
}

function picture({ jpeg, width, height }: Jpeg): { readonly result: ImageAnswer; readonly image: Buffer } {
  return { result: { width, height }, image: jpeg };
}
