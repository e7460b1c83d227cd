import type { CameraDriver, Shot } from "../../core/ports.ts";
import type { Vision } from "../../core/vision-port.ts";
import { scene, type SceneObject } from "./scene.ts";
import { street, type StreetOptions } from "./street.ts";

export interface SimulatedOptions {
  readonly scene?: "film" | "street";
  readonly light?: StreetOptions["light"];
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  /** JPEG quality, 1 to 100. */
  readonly quality: number;
}

/**
 * A camera that sees drawn scenes whose truth is known: for the demo and for tests. Shot N since construction, from 0,
 * shows scene N, so frame `sequence` of its camera shows scene `sequence - 1`.
 */
export class SimulatedDriver implements CameraDriver {
  readonly kind = "simulated";
  readonly pace = "newest";
  readonly mayRepeat = true;
  readonly #options: SimulatedOptions;
  readonly #render: Vision["render"];
  #next = 0;

  constructor(options: SimulatedOptions, render: Vision["render"]) {
    this.#options = options;
    this.#render = render;
  }

  /** What scene `index` holds, exactly. */
  truthOf(index: number): readonly SceneObject[] {
    return this.#scene(index).objects;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async shot(signal: AbortSignal): Promise<Shot> {
    signal.throwIfAborted();
    const drawn = this.#scene(this.#next);
    const { jpeg } = await this.#render(drawn.svg, { quality: this.#options.quality }, signal);
    // Only now: a picture that could not be drawn is not skipped.
    this.#next += 1;
    return { kind: "image", jpeg };
  }

  async stop(): Promise<void> {
    // Nothing is held between shots.
  }

  #scene(index: number): { readonly svg: string; readonly objects: readonly SceneObject[] } {
    const { seed, width, height, light = "steady", scene: kind = "film" } = this.#options;
    const options = { seed, index, width, height };
    return kind === "film" ? scene(options) : street({ ...options, light });
  }
}
