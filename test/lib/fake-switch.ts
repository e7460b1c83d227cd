import { AgentError } from "../../src/core/errors.ts";
import type { VisionHealth } from "../../src/core/vision-port.ts";
import type { VisionProcess } from "../../src/vision/client.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import type { Look, PreparedVision } from "../../src/vision/switch.ts";

/** A VisionSwitch without processes, which loads, crashes and fails as a test says. */
export class FakeSwitch {
  /** Names of models. */
  current = "tiny-end-to-end";
  readonly prepared: string[] = [];
  readonly discarded: string[] = [];
  /** Names of models that do not load. */
  readonly broken = new Set<string>();
  restarts = 0;
  ownRunMs: number | undefined;
  #watcher: (look: Look) => void = () => undefined;

  async prepare(model: ModelSpec, signal: AbortSignal): Promise<PreparedVision> {
    signal.throwIfAborted();
    this.prepared.push(model.name);
    if (this.broken.has(model.name)) {
      throw new AgentError("MODEL_FAILED", `the model ${model.name} does not load`, { disposition: "fatal" });
    }
    // Nobody asks it anything but the proof, which is the test's own.
    return { vision: undefined as unknown as VisionProcess, model };
  }

  async discard({ model }: PreparedVision): Promise<void> {
    this.discarded.push(model.name);
  }

  async switchTo({ model }: PreparedVision): Promise<void> {
    this.current = model.name;
  }

  watchLooks(watcher: (look: Look) => void): void {
    this.#watcher = watcher;
  }

  looks(count: number, look: Look): void {
    for (let index = 0; index < count; index += 1) this.#watcher(look);
  }

  runMs(): number | undefined {
    return this.ownRunMs;
  }

  health(): VisionHealth {
    return { state: "ready", restarts: this.restarts, rssPeakBytes: 0 };
  }
}
