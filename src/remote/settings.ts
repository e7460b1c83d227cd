import type { CommandCall } from "./command.ts";

/** What a change needs of a call. Without `may` nothing is allowed that needs the scope admin. */
export type SettingsCall = Pick<CommandCall, "dry" | "signal"> & Partial<Pick<CommandCall, "request" | "may">>;

/**
 * The config, as commands change it: a merge patch (RFC 7396) into the overlay, checked whole, the version before kept,
 * and applied without a restart where that is possible. Cameras and targets are objects by their id in a patch:
 * `{"cameras": {"front": {"interval": "5s"}}}`. Fails with `CONFIG_INVALID`, `CONFIG_PATCH_…`, or `…_UNKNOWN`.
 */
export interface Settings {
  /**
   * Resolves with what was changed, and how it was applied; with `dry` with what would be. Where parts have to be started
   * anew it does not come back in this life: the reply to `request` is then made by the next one. Hand over the call as it is.
   */
  change(patch: object, call: SettingsCall): Promise<object>;
}
