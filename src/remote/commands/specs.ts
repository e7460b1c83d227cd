import type { CommandSpec } from "../command.ts";
import { basicSpecs } from "./basic.ts";
import { capabilitiesSpecs } from "./capabilities.ts";
import { configSpecs } from "./config.ts";
import { logSpecs } from "./log.ts";
import { modelSpecs } from "./model.ts";
import { restartSpecs } from "./restart.ts";
import { snapshotSpecs } from "./snapshot.ts";
import { supportSpecs } from "./support.ts";

/** Every command there is, in the order of the documents. */
export const commandSpecs: readonly CommandSpec[] = [
  ...basicSpecs,
  ...capabilitiesSpecs,
  ...snapshotSpecs,
  ...modelSpecs,
  ...logSpecs,
  ...configSpecs,
  ...restartSpecs,
  ...supportSpecs,
];
