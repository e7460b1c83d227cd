import type { Logger } from "../../src/core/ports.ts";
import type { LogRing } from "../../src/log/ring.ts";
import type { ModelPort } from "../../src/remote/commands/model.ts";
import type { SupportPort } from "../../src/remote/commands/support.ts";
import type { Agent } from "../compose.ts";
import type { StatusPort } from "./status-port.ts";

export interface SupportParts {
  readonly agent: Pick<Agent, "spool" | "modelProblem">;
  readonly status: StatusPort;
  readonly models: ModelPort;
  /** The effective config, without secrets. */
  readonly shownConfig: () => unknown;
  readonly logRing: LogRing;
  readonly log: Logger;
  readonly packetBytesMax: () => number;
}

/** What a running agent hands to somebody who looks for a fault. */
export function supportPort(from: SupportParts): SupportPort {
  const { agent, status, models, shownConfig, logRing, log, packetBytesMax } = from;
  return {
    packetBytesMax,
    redacted: (text) => log.redacted(text),
    logLines: () => logRing.lines(),
    async parts() {
      return {
        info: status.info(),
        status: await status.status(),
        environment: { exec: process.version, versions: process.versions, pid: process.pid, uid: process.getuid?.() },
        queue: await agent.spool.stats().catch(() => undefined),
        models: await models.list().catch(() => undefined),
        ...(agent.modelProblem === undefined ? {} : { modelProblem: agent.modelProblem.code }),
        config: shownConfig(),
      };
    },
  };
}
