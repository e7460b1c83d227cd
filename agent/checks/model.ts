import { basename, dirname } from "node:path";
import { defaultModel } from "../../src/config/sections.ts";
import { modelFileName } from "../../src/models/store.ts";
import type { Golden } from "../../src/vision/golden.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import { type Proof, proofError, proveModel, readGolden } from "../../src/vision/proof.ts";
import { visionFor } from "../models/choose-models.ts";
import type { Agent } from "../compose.ts";
import type { CommandContext } from "../context.ts";
import { findModel } from "../models/find-model.ts";
import { hintFor } from "../hints.ts";
import type { Settings } from "../settings.ts";
import { sizeText } from "../terminal.ts";
import { type CheckResult, failed } from "./result.ts";

/** Whether the model loads, and where it has a golden picture, whether it finds on it what it should. */
export async function* modelChecks(
  context: CommandContext,
  settings: Settings,
  agent: Agent,
): AsyncGenerator<CheckResult> {
  const { vision, modelProblem } = agent;
  const model = vision.model();
  if (model === undefined) {
    const { code, message } = modelProblem ?? vision.health().lastError ?? { code: "MODEL_NONE", message: "no model" };
    const found = `${message} (${code})`;
    yield { check: "model", result: "failed", found, mend: hintFor(code) ?? "set detector.model" };
    return;
  }
  const { name, family, inputWidth, inputHeight, labels, threshold, warnings = [] } = model;
  const found = `${name}: ${family}, ${inputWidth}×${inputHeight}, ${labels.length} labels, threshold ${threshold}`;
  // The simulated camera shows just what it finds.
  const seesTheWorld = settings.config.cameras.some(({ driver }) => driver !== "simulated");
  if (warnings.length > 0) {
    const mend = "correct the labels in detector: of the config, or in the model's manifest";
    yield { check: "model", result: "warning", found: `${found}; ${warnings.join("; ")}`, mend };
  } else if (name === defaultModel && seesTheWorld) {
    const mend = "take a real one: framepost models catalog lists some";
    yield { check: "model", result: "warning", found: `${found}; it is for trying only`, mend };
  } else yield { check: "model", result: "ok", found };
  yield* provingChecks(context, settings);
}

/**
 * Whether it finds on its golden picture what it should, and how long it takes. In a vision process of its own, because
 * the config may give labels other names, or leave some out.
 */
async function* provingChecks(context: CommandContext, { config, dataFolder }: Settings): AsyncGenerator<CheckResult> {
  const { model: name, manifest } = config.detector;
  let golden: Golden | undefined;
  const check = () => (golden === undefined ? "model run" : "golden picture");
  try {
    const model = await findModel(name, { dataFolder, ...(manifest === undefined ? {} : { manifest }) });
    const startedMs = performance.now();
    const vision = visionFor(context, { model });
    try {
      golden = basename(model.file) === modelFileName ? await readGolden(dirname(model.file)) : undefined;
      await vision.start(context.signal);
      const readyMs = performance.now() - startedMs;
      const proof = await proveModel(vision, golden, {}, context.signal);
      const error = proofError(proof);
      if (error !== undefined) yield failed(check(), error);
      else if (golden !== undefined) {
        yield { check: check(), result: "ok", found: `the model finds all ${golden.expected.length} objects on it` };
      }
      yield speedCheck(proof, readyMs, model);
    } finally {
      await vision.stop();
    }
  } catch (error) {
    context.signal.throwIfAborted();
    yield failed(check(), error);
  }
}

function speedCheck({ runMs, rssPeakBytes }: Proof, readyMs: number, { sha256, manifest }: ModelSpec): CheckResult {
  const times = `ready in ${(readyMs / 1_000).toFixed(1)} s, ${runMs.toFixed(0)} ms a picture, ${sizeText(rssPeakBytes)} of memory`;
  const named = manifest.sha256 === undefined ? "which no manifest names" : "as its manifest has it";
  return { check: "model run", result: "ok", found: `${times}; sha256 ${sha256.slice(0, 12)}…, ${named}` };
}
