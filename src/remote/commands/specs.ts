import type { CommandSpec } from "../command.ts";
import { basicSpecs } from "./basic.ts";
import { cameraSpecs } from "./camera.ts";
import { captureSpecs } from "./capture.ts";
import { detectSpecs } from "./detect.ts";
import { explainFrameSpecs } from "./explain-frame.ts";
import { capabilitiesSpecs } from "./capabilities.ts";
import { configSpecs } from "./config.ts";
import { explainUploadSpecs } from "./explain-upload.ts";
import { logSpecs } from "./log.ts";
import { modelSpecs } from "./model.ts";
import { quarantineSpecs } from "./quarantine.ts";
import { queueSpecs } from "./queue.ts";
import { restartSpecs } from "./restart.ts";
import { snapshotSpecs } from "./snapshot.ts";
import { supportSpecs } from "./support.ts";
import { targetSpecs } from "./target.ts";
import { uploadSpecs } from "./upload.ts";

/** Every command there is, in the order of the documents. */
export const commandSpecs: readonly CommandSpec[] = [
  ...basicSpecs,
  ...capabilitiesSpecs,
  ...snapshotSpecs,
  ...queueSpecs,
  ...quarantineSpecs,
  ...targetSpecs,
  ...uploadSpecs,
  ...explainUploadSpecs,
  ...captureSpecs,
  ...cameraSpecs,
  ...detectSpecs,
  ...explainFrameSpecs,
  ...modelSpecs,
  ...logSpecs,
  ...configSpecs,
  ...restartSpecs,
  ...supportSpecs,
];
