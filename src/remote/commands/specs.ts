import type { CommandSpec } from "../command.ts";
import { basicSpecs } from "./basic.ts";
import { cameraSpecs } from "./camera.ts";
import { captureSpecs } from "./capture.ts";
import { detectSpecs } from "./detect.ts";
import { explainFrameSpecs } from "./explain-frame.ts";
import { snapshotSpecs } from "./snapshot.ts";

/** Every command there is, in the order of the documents. */
export const commandSpecs: readonly CommandSpec[] = [
  ...basicSpecs,
  ...snapshotSpecs,
  ...captureSpecs,
  ...cameraSpecs,
  ...detectSpecs,
  ...explainFrameSpecs,
];
