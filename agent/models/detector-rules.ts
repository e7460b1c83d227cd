import type { DetectorRules } from "../../src/vision/config.ts";
import type { ModelSpec } from "../../src/vision/model.ts";
import type { FramepostConfig } from "../config-schema.ts";

/** A model as the config wants it: what the section `detector` says of labels and scores goes above the manifest. */
export function withDetectorRules(spec: ModelSpec, detector: Partial<FramepostConfig["detector"]>): ModelSpec {
  const { threshold, thresholds, allow, deny, rename, minBox } = detector;
  const said = Object.entries({ threshold, thresholds, allow, deny, rename, minBox }).filter(
    ([, value]) => value !== undefined,
  );
  const rules: DetectorRules = Object.fromEntries(said);
  return said.length === 0 ? spec : { ...spec, rules };
}
