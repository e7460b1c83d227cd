import type { CommandCall } from "./command.ts";

/**
 * The config, as commands change it: a merge patch (RFC 7396) into the overlay, checked whole, the version before kept,
 * and applied without a restart where that is possible. Cameras and targets are objects by their id in a patch:
 * `{"cameras": {"front": {"interval": "5s"}}}`. Fails with `CONFIG_INVALID`, `CONFIG_PATCH_…`, or `…_UNKNOWN`.
 */
export interface Settings {
  /** Resolves with what was changed, and how it was applied; with `dry` with what would be. */
  change(patch: object, call: Pick<CommandCall, "dry" | "signal">): Promise<object>;
}
