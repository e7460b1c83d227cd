import type { CommandSpec } from "../command.ts";
import { basicSpecs } from "./basic.ts";
import { cameraSpecs } from "./camera.ts";
import { captureSpecs } from "./capture.ts";
import { detectSpecs } from "./detect.ts";
import { explainFrameSpecs } from "./explain-frame.ts";
import { capabilitiesSpecs } from "./capabilities.ts";
import { logSpecs } from "./log.ts";
import { modelSpecs } from "./model.ts";
import { snapshotSpecs } from "./snapshot.ts";
import { supportSpecs } from "./support.ts";

/** Every command there is, in the order of the documents. */
export const commandSpecs: readonly CommandSpec[] = [
  ...basicSpecs,
  ...capabilitiesSpecs,
  ...snapshotSpecs,
  ...captureSpecs,
  ...cameraSpecs,
  ...detectSpecs,
  ...explainFrameSpecs,
  ...modelSpecs,
  ...logSpecs,
  ...supportSpecs,
];
