import { shownDetections } from "../core/detections.ts";
import type { RecordDraft } from "../core/types.ts";

/** Which records a target takes at all. A record it does not want is not owed to it: no delivery, no error, no loss. */
export interface RecordFilter {
  /** Only records that show at least one of these; every label when absent. */
  readonly labels?: readonly string[] | undefined;
  /** Detections below this do not count here. Stricter than the model's threshold or without effect. */
  readonly minScore: number;
  /** Frames on which the detector found nothing: negatives. */
  readonly includeEmpty: boolean;
  /** Frames that the detector never saw, because the vision process was away. */
  readonly includeUnlabelled: boolean;
}

/** Selects whole records: one that is wanted is sent with all its labels, or a data set would call the rest background. */
export function filterWants(filter: RecordFilter, draft: RecordDraft): boolean {
  if (!draft.labelled) return filter.includeUnlabelled;
  const shown = shownDetections(draft, filter.minScore);
  if (shown.length === 0) return filter.includeEmpty;
  const { labels } = filter;
  return labels === undefined || shown.some(({ label }) => labels.includes(label));
}
