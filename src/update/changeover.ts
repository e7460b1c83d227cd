import type { InstalledModel, ModelStore } from "../models/store.ts";
import type { ModelSpec } from "../vision/model.ts";
import type { PreparedVision, VisionSwitch } from "../vision/switch.ts";

/** Of an installed model, or of the one that ships. */
export interface ModelSpecs {
  /** As its manifest has it: what a golden picture was made with. */
  readonly proof: ModelSpec;
  /** With what the config says above that; the same object where it says nothing. */
  readonly use: ModelSpec;
}

/** Fails when the model is not fit for use. `runMs` is the median of a run. */
export type Prove = (
  prepared: PreparedVision,
  options: { readonly folder: string; readonly runMsMax: number | undefined },
  signal: AbortSignal,
) => Promise<{ readonly runMs: number }>;

export interface ChangeoverParts {
  readonly store: ModelStore;
  readonly vision: Pick<VisionSwitch, "prepare" | "discard" | "switchTo">;
  readonly specsOf: (model: InstalledModel | undefined) => Promise<ModelSpecs>;
  readonly prove: Prove;
}

/** The steps of a change, `undefined` being the model that ships. One that fails leaves no second process behind. */
export class Changeover {
  readonly #parts: ChangeoverParts;

  constructor(parts: ChangeoverParts) {
    this.#parts = parts;
  }

  /** A second process with the model as the config wants it; the proof knows it as its manifest has it. */
  async proven(
    model: InstalledModel,
    runMsMax: number | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly prepared: PreparedVision; readonly runMs: number }> {
    const { vision, specsOf, prove } = this.#parts;
    const { proof, use } = await specsOf(model);
    const prepared = await vision.prepare(proof, signal, "proof");
    let runMs: number;
    try {
      ({ runMs } = await prove(prepared, { folder: model.folder, runMsMax }, signal));
      signal.throwIfAborted();
    } catch (error) {
      await vision.discard(prepared);
      throw error;
    }
    if (proof === use) return { prepared, runMs };
    await vision.discard(prepared);
    return { prepared: await vision.prepare(use, signal), runMs };
  }

  /** The same of one that needs no proof: it only has to load. */
  async loaded(model: InstalledModel | undefined, signal: AbortSignal): Promise<PreparedVision> {
    const { use } = await this.#parts.specsOf(model);
    return this.#parts.vision.prepare(use, signal);
  }

  /** What `write` has to put on disk first, then the links of the store, then the process. */
  async complete(
    to: InstalledModel | undefined,
    prepared: PreparedVision,
    write: () => Promise<void> = async () => undefined,
  ): Promise<void> {
    const { vision } = this.#parts;
    try {
      await write();
      await this.link(to);
    } catch (error) {
      await vision.discard(prepared);
      throw error;
    }
    await vision.switchTo(prepared);
  }

  async link(to: InstalledModel | undefined): Promise<void> {
    if (to === undefined) await this.#parts.store.useNone();
    else await this.#parts.store.use(to);
  }
}
