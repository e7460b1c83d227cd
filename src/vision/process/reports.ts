import { proofLimits } from "../../core/model-limits.ts";
import type { OutputReport, ProcessUsage } from "../inspection.ts";
import type { OutputTensor, TensorFacts } from "./families/family.ts";
import type { Candidates } from "./nms.ts";

/** What the vision process says of its model and of itself when somebody asks. */

/** Keys of a model's metadata that are shown. */
const METADATA_KEYS_MAX = 32;

export function outputReport(facts: TensorFacts, tensor: OutputTensor | undefined): OutputReport {
  let notFinite = 0;
  for (const value of tensor?.data ?? []) if (!Number.isFinite(value)) notFinite += 1;
  return { ...facts, dims: tensor?.dims ?? [], notFinite };
}

export function scoreMaxOf({ score, count }: Candidates): number {
  let highest = 0;
  for (let index = 0; index < count; index += 1) highest = Math.max(highest, score[index] ?? 0);
  return highest;
}

/** The labels are told elsewhere, and may be a thousand. */
export function shownMetadata(metadata: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const shown = [...metadata].filter(([key]) => key !== "names").slice(0, METADATA_KEYS_MAX);
  const cut = (text: string) => text.slice(0, proofLimits.metadataCharsMax);
  return Object.fromEntries(shown.map(([key, value]) => [cut(key), cut(value)]));
}

export function usageOf({
  memoryUsage,
  resourceUsage,
}: Pick<NodeJS.Process, "memoryUsage" | "resourceUsage">): ProcessUsage {
  const { maxRSS, userCPUTime, systemCPUTime } = resourceUsage();
  const rssBytes = memoryUsage.rss();
  // The kernel counts the peak in kilobytes and late, and processor time in microseconds.
  const rssPeakBytes = Math.max(rssBytes, maxRSS * 1_024);
  return { rssBytes, rssPeakBytes, cpuMs: (userCPUTime + systemCPUTime) / 1_000 };
}
