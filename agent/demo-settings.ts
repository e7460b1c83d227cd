import { AgentError } from "../src/core/errors.ts";
import { byId } from "../src/config/overlay.ts";
import { redact, shownConfig } from "../src/config/redact.ts";
import { valueAt } from "../src/config/schema-walk.ts";
import type { SettingsCall } from "../src/remote/settings.ts";
import type { Agent } from "./compose.ts";
import { configSchema, type FramepostConfig } from "./config-schema.ts";
import { withDetectorRules } from "./models/detector-rules.ts";
import { findModel } from "./models/find-model.ts";
import type { AgentSettings } from "./remote/commands.ts";
import { stepsOf } from "./remote/config-change.ts";

export interface DemoSettingsParts {
  readonly agent: Pick<Agent, "vision">;
  readonly config: FramepostConfig;
  readonly secrets: readonly string[];
  readonly settings: AgentSettings["settings"];
}

/** The config of the demonstration, which has no file: all that can be changed is the threshold, until it ends. */
export class DemoSettings implements AgentSettings {
  readonly settings: AgentSettings["settings"];
  readonly #vision: Agent["vision"];
  readonly #secrets: readonly string[];
  #config: FramepostConfig;
  #revision = 0;

  constructor({ agent, config, secrets, settings }: DemoSettingsParts) {
    this.#vision = agent.vision;
    this.#config = config;
    this.#secrets = secrets;
    this.settings = settings;
  }

  revision(): number {
    return this.#revision;
  }

  state(): ReturnType<AgentSettings["state"]> {
    return { overlay: "none" };
  }

  shown(): unknown {
    const redacted = redact(configSchema, this.#config);
    return shownConfig(configSchema, this.#config, { redacted, secrets: this.#secrets });
  }

  shownPatch(patch: object): unknown {
    return patch;
  }

  async get(pointer: string): Promise<object> {
    return { revision: this.#revision, value: valueAt(byId(this.shown()), stepsOf(pointer)), changed: [] };
  }

  async change(patch: object, { dry, signal }: SettingsCall): Promise<object> {
    const threshold = thresholdIn(patch);
    if (threshold === undefined) throw noFile();
    const detector = { ...this.#config.detector, threshold: threshold ?? undefined };
    const changed = ["/detector/threshold"];
    if (dry) return { revision: this.#revision, changed, applied: "in place" };
    const model = await findModel(detector.model, { dataFolder: this.settings.dataFolder });
    await this.#vision.switchTo(await this.#vision.prepare(withDetectorRules(model, detector), signal));
    this.#config = { ...this.#config, detector };
    this.#revision += 1;
    return { revision: this.#revision, changed, applied: "in place" };
  }

  async rollback(): Promise<object> {
    throw noFile();
  }

  async check(): Promise<void> {
    throw noFile();
  }

  restart(): void {
    // Refused by `check`, which is asked before.
  }
}

/** Undefined for a patch of anything else. */
function thresholdIn(patch: object): number | null | undefined {
  const detector: unknown = "detector" in patch && Object.keys(patch).length === 1 ? patch.detector : undefined;
  if (typeof detector !== "object" || detector === null || !("threshold" in detector)) return undefined;
  const { threshold, ...rest } = detector;
  if (Object.keys(rest).length > 0) return undefined;
  return typeof threshold === "number" || threshold === null ? threshold : undefined;
}

function noFile(): AgentError {
  const message = "the demonstration has no config file that could be changed; framepost init writes one";
  return new AgentError("CONFIG_PATCH_DEMO", message, { disposition: "reject" });
}
