import { AgentError } from "../../core/errors.ts";
import type { Clock } from "../../core/clock.ts";
import { layernextLimits } from "../../core/platform-limits.ts";
import type { JobState, LayernextClient } from "./client.ts";

/** How long a job is waited for. For tests that cannot wait so long. */
export interface JobPace {
  readonly pollFirstMs: number;
  readonly pollMaxMs: number;
  /** 0 asks once. */
  readonly waitMs: number;
  /** Of a whole call, beside what its bytes need. */
  readonly callMs: number;
}

export const jobPace: JobPace = {
  pollFirstMs: layernextLimits.pollFirstMs,
  pollMaxMs: layernextLimits.pollMaxMs,
  waitMs: layernextLimits.jobWaitMs,
  callMs: layernextLimits.callMs,
};

/** Asks at once, then at doubling intervals, until the job has ended or the time is over. */
export async function waitForJob(
  client: LayernextClient,
  jobId: string,
  { pollFirstMs, pollMaxMs, waitMs }: Omit<JobPace, "callMs">,
  clock: Clock,
  signal: AbortSignal,
): Promise<JobState> {
  const endMs = clock.monotonicMs() + waitMs;
  for (let pauseMs = pollFirstMs; ; pauseMs = Math.min(2 * pauseMs, pollMaxMs)) {
    const state = await client.jobStatus(jobId, signal);
    const ended = state.status === "completed" || state.status === "failed";
    if (ended || clock.monotonicMs() + pauseMs > endMs) return state;
    await clock.sleep(pauseMs, signal);
  }
}

/** When a job that was not done after `polls` calls is asked for again. */
export function laterMs(polls: number): number {
  const { laterPollFirstMs, laterPollMaxMs } = layernextLimits;
  return Math.min(laterPollFirstMs * 2 ** polls, laterPollMaxMs);
}

export function jobFailed(jobId: string): AgentError {
  return new AgentError("JOB_FAILED", `LayerNext says that its job ${jobId} failed (status 4)`, {
    disposition: "retry",
  });
}

export function jobPending(jobId: string, { status, progress }: JobState): AgentError {
  return new AgentError("JOB_PENDING", `LayerNext's job ${jobId} is ${status} at ${progress} %`, {
    disposition: "retry",
  });
}

export function jobStuck(jobId: string, polls: number): AgentError {
  return new AgentError("JOB_STUCK", `LayerNext's job ${jobId} did not end, asked ${polls} times`, {
    disposition: "retry",
  });
}
