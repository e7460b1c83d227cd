import type { CommandSpec } from "../command.ts";
import { basicSpecs } from "./basic.ts";
import { configSpecs } from "./config.ts";
import { restartSpecs } from "./restart.ts";
import { snapshotSpecs } from "./snapshot.ts";

/** Every command there is, in the order of the documents. */
export const commandSpecs: readonly CommandSpec[] = [...basicSpecs, ...snapshotSpecs, ...configSpecs, ...restartSpecs];
