import type { Queue, QueueFinding } from "../../src/core/queue.ts";

/** What is wrong with a spool by its own check, which repairs nothing. */
export async function findingsOf(queue: Pick<Queue, "verify">): Promise<readonly QueueFinding[]> {
  const findings: QueueFinding[] = [];
  for (let after = 0; ;) {
    const step = await queue.verify(after, false);
    findings.push(...step.findings);
    if (step.done) return findings;
    after = step.lastSequence;
  }
}
