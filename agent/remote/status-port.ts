import type { ClockHealth } from "../../src/core/health.ts";
import { remoteLimits } from "../../src/core/remote-limits.ts";
import type { Seams } from "../../src/core/ports.ts";
import { Ages } from "../../src/remote/ages.ts";
import { type ControlHealth, linkStatus } from "../../src/remote/control-health.ts";
import type { HealthLook } from "../../src/remote/health-events.ts";
import type { InfoReport } from "../../src/remote/info-report.ts";
import type { RequestCounts } from "../../src/remote/tally.ts";
import { statusReport, type StatusReport, statusWithin } from "../../src/remote/status-report.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import { healthLook, healthReport } from "../report.ts";
import { agentVersion } from "../version.ts";
import { diskStatus, hardwareName, hostStatus } from "./host.ts";

export interface StatusPort {
  readonly look: () => HealthLook;
  readonly info: () => InfoReport;
  readonly status: () => Promise<StatusReport>;
}

export interface StatusParts {
  readonly agent: Agent;
  readonly dataFolder: string;
  readonly instance: string;
  readonly revision: () => number;
  readonly config: () => NonNullable<StatusReport["config"]>;
  /** Both undefined where there is no remote control. */
  readonly requests: () => RequestCounts | undefined;
  readonly link: () => ControlHealth | undefined;
  /** Names of all commands. */
  readonly commands: () => readonly string[];
  /** Of a packet at the broker. */
  readonly packetBytesMax: () => number;
}

/** What a running agent says of itself to its operator. */
export function statusPort(
  config: Pick<FramepostConfig, "spool" | "cameras" | "remote">,
  {
    agent,
    dataFolder,
    instance,
    revision,
    config: configStatus,
    requests,
    link,
    commands,
    packetBytesMax,
  }: StatusParts,
  { clock }: Seams,
): StatusPort {
  const versions = { agent: agentVersion(), node: process.version };
  const hardware = hardwareName();
  const ages = new Ages(clock);
  let since: { readonly state: string; readonly atMs: number } | undefined;

  const status = async (): Promise<StatusReport> => {
    const health = await healthReport(agent, clock);
    const disk = await diskStatus(dataFolder, config.spool.minFreeBytes);
    const nowMs = clock.monotonicMs();
    if (since?.state !== health.state) since = { state: health.state, atMs: nowMs };
    const [asked, connection] = [requests(), link()];
    const around = {
      ...(disk === undefined ? {} : { disk }),
      clock: clockStatus(agent.bootClock.health(), clock.nowMs()),
      ...(asked === undefined ? {} : { requests: asked }),
      ...(connection === undefined ? {} : { link: linkStatus(connection) }),
      host: hostStatus(),
      ...{ versions, revision: revision(), config: configStatus(), capBytes: config.spool.maxBytes },
      stateForMs: Math.round(nowMs - since.atMs),
    };
    const whole = statusReport(health, around, ages.look());
    return statusWithin(whole, packetBytesMax() - remoteLimits.packetOverheadBytes);
  };

  const info = (): InfoReport => {
    const model = agent.vision.model()?.name;
    return {
      v: 1,
      device: agent.device,
      instance,
      version: versions.agent,
      node: versions.node,
      platform: `${process.platform}-${process.arch}`,
      ...(hardware === undefined ? {} : { hardware }),
      cameras: config.cameras.map(({ id, driver }) => ({ id, driver })),
      targets: agent.targets.map(({ id, kind }) => ({ id, kind })),
      ...(model === undefined ? {} : { model }),
      groups: config.remote?.groups ?? [],
      commands: [...commands()],
      revision: revision(),
    };
  };

  const look = (): HealthLook => {
    const { state, troubles, cameras, targets, vision, models, pipeline } = healthLook(agent, clock);
    const { keptByRule, spoolFull, paused } = pipeline;
    return {
      ...{ state, troubles, cameras, targets, keptByRule, spoolFull, paused, revision: revision() },
      detector: { state: vision.state, ...(vision.model === undefined ? {} : { model: vision.model }) },
      ...(models?.lastRollback === undefined ? {} : { lastRollback: models.lastRollback }),
    };
  };

  return { look, info, status };
}

function clockStatus({ quality, lastJump }: ClockHealth, nowMs: number): StatusReport["clock"] {
  return {
    ...{ quality, atMs: Math.round(nowMs) },
    ...(lastJump === undefined ? {} : { jumpedByMs: lastJump.byMs, jumpedAgoMs: lastJump.agoMs }),
  };
}
