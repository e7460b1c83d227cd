import type { LayeredConfig, OperatorFile } from "../src/config/layers.ts";
import { isSame } from "../src/config/overlay.ts";
import { noOverlay, readOverlay, setOverlayAside, writeOverlay, type Overlay } from "../src/config/overlay-file.ts";
import { ConfigError, explained, formatProblem, type ConfigProblem } from "../src/config/problem.ts";
import type { configSchema, FramepostConfig } from "./config-schema.ts";
import { mayHaveHidden, mayUncover } from "./overlay-loss.ts";

/** What remote commands changed, as far as it fits the operator's file. */
export interface OverlayInForce {
  readonly path: string;
  readonly overlay: Overlay;
  /** It is on disk, and the file there has this content. */
  readonly isWritten: boolean;
  /** It was there and is left out: it is damaged, or does not fit the operator's file any more. */
  readonly isLeftOut: boolean;
  /** Why it was left out. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/**
 * The operator's file with the overlay above it, or alone where the overlay cannot be used: it keeps nothing from starting,
 * unless the file alone might show what the overlay hid; then it fails with a ConfigError. `start` ends a trial that is
 * under way. Nothing is written: that is the daemon's alone, once the data folder is its own.
 */
export async function withOverlay(
  operator: OperatorFile<typeof configSchema>,
  path: string,
  start: boolean,
): Promise<{ readonly layered: LayeredConfig<FramepostConfig>; readonly overlay: OverlayInForce }> {
  const found = await readOverlay(path);
  if (found.kind === "none") {
    const overlay = seenWith(noOverlay, operator.digest);
    return { layered: operator.bare(), overlay: { path, overlay, ...unwritten } };
  }
  if (found.kind === "unusable") {
    if (mayHaveHidden(found.text, operator.written)) throw refusal(new ConfigError([found.problem]));
    const overlay = seenWith(noOverlay, operator.digest);
    return { layered: operator.bare(), overlay: { path, overlay, ...leftOut([found.problem]) } };
  }
  const { source } = found;
  const isCutShort = start && found.overlay.lastChange?.state === "trial";
  const ended = isCutShort ? reverted(found.overlay, "the agent ended before it was kept") : found.overlay;
  const overlay = seenWith(ended, operator.digest);
  const isWritten = isSame(overlay, found.overlay);
  try {
    const layer = { changes: overlay.changes, file: path, source };
    const layered = await operator.with(layer);
    return { layered, overlay: { path, overlay, isWritten, isLeftOut: false, problems: [], warnings: [] } };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (mayUncover(overlay.changes, operator.written)) throw refusal(error);
    const { revision, fileDigest } = overlay;
    const emptied = { revision: revision + 1, fileDigest, changes: {} };
    return { layered: operator.bare(), overlay: { path, overlay: emptied, ...leftOut(error.problems) } };
  }
}

/** Makes the disk say what is in force. Fails with `STATE_UNWRITABLE`. */
export async function settleOverlay({ path, overlay, isWritten, isLeftOut }: OverlayInForce): Promise<void> {
  if (isWritten) return;
  if (isLeftOut) await setOverlayAside(path);
  await writeOverlay(path, overlay);
}

/** The trial is over, and the change stays. */
export function kept({ revision, fileDigest, changes, previous, lastChange }: Overlay): Overlay {
  return {
    ...{ revision, fileDigest, changes },
    ...(previous === undefined ? {} : { previous }),
    ...(lastChange === undefined ? {} : { lastChange: { ...lastChange, state: "kept" } }),
  };
}

/** The version before is in force again, under a revision of its own. */
export function reverted(overlay: Overlay, reason: string): Overlay {
  const { revision, fileDigest, previous = {}, earlier, lastChange } = overlay;
  return {
    ...{ revision: revision + 1, fileDigest, changes: previous },
    ...(earlier === undefined ? {} : { previous: earlier }),
    ...(lastChange === undefined ? {} : { lastChange: { ...lastChange, state: "reverted", reason } }),
  };
}

function refusal(error: ConfigError): ConfigError {
  const consequence =
    "the config file alone might show what was hidden; mend it, or delete the overlay to give that up";
  return explained(error, consequence);
}

const unwritten = { isWritten: false, isLeftOut: false, problems: [], warnings: [] };

/** A changed file is a changed config. */
function seenWith(overlay: Overlay, fileDigest: string): Overlay {
  if (overlay.fileDigest === fileDigest) return overlay;
  return { ...overlay, fileDigest, revision: overlay.revision + 1 };
}

function leftOut(problems: readonly ConfigProblem[]): Omit<OverlayInForce, "path" | "overlay"> {
  const [first, ...more] = problems.map(formatProblem);
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  const warning = `what remote commands changed is left out, the config file alone rules: ${first ?? ""}${others}`;
  return { isWritten: false, isLeftOut: true, problems, warnings: [warning] };
}
