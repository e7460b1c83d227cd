import { join } from "node:path";
import { packageFolder } from "./version.ts";

/** Where a bare model name is looked for: what the operator installed first, then what ships with the program. */
export function modelsFolders(dataFolder: string | undefined): readonly string[] {
  const own = dataFolder === undefined ? [] : [join(dataFolder, "models")];
  return [...own, join(packageFolder, "models/tiny")];
}

/** Where the daemon of this folder listens for commands of its own user. */
export function controlPathOf(dataFolder: string): string {
  return join(dataFolder, "control.sock");
}
