import { join } from "node:path";

/** Where the daemon of this folder listens for commands of its own user. */
export function controlPathOf(dataFolder: string): string {
  return join(dataFolder, "control.sock");
}
