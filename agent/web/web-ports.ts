import type { Seams } from "../../src/core/ports.ts";
import type { WebPorts } from "../../src/web/ports.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import { healthReport } from "../report.ts";

export interface WebSources {
  readonly agent: Agent;
  readonly dataFolder: string;
}

/** What a running agent shows of itself over HTTP. */
export function webPorts(_config: FramepostConfig, { agent }: WebSources, { clock }: Seams): WebPorts {
  let since: { readonly state: string; readonly atMs: number } | undefined;
  return {
    late: () => [],
    unready: async () => [],
    async health() {
      const report = await healthReport(agent, clock);
      const nowMs = clock.monotonicMs();
      if (since?.state !== report.state) since = { state: report.state, atMs: nowMs };
      return { state: report.state, stateForMs: Math.round(nowMs - since.atMs), report };
    },
    metrics: async () => "",
  };
}
