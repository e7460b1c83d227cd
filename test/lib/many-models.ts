import { visionLimits } from "../../src/core/vision-limits.ts";
import type { ModelInfo } from "../../src/core/vision-port.ts";
import { spawnVision } from "../../src/vision/child.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import { type DetectAnswer, errorFrom, type ModelSettings, resultOf, type Task } from "../../src/vision/protocol.ts";

/**
 * One real vision process that is given one model after another, as the agent never does: a process of its own, with its
 * runtimes, would cost most models more than all they have to find.
 */
export class ManyModels implements AsyncDisposable {
  readonly #child = spawnVision();

  /** Rejects with what is wrong with the model. */
  async load(model: ModelSpec, change: Partial<ModelSettings> = {}): Promise<ModelInfo> {
    const { detectionsMax, candidatesMax } = visionLimits;
    const settings = { threads: undefined, detectionsMax, candidatesMax, ...change };
    return resultOf("load", await this.#ask({ kind: "load", model, settings }));
  }

  /** With the model that was loaded last. */
  async detect(jpeg: Buffer, { exact }: { readonly exact: boolean }): Promise<DetectAnswer> {
    return resultOf("detect", await this.#ask({ kind: "detect", exact }, jpeg));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
  }

  async #ask(task: Task, body?: Buffer) {
    const { reply } = await this.#child.ask(task, body, visionLimits.loadTimeoutMs);
    if (reply.error !== undefined) throw errorFrom(reply.error);
    return reply;
  }
}
