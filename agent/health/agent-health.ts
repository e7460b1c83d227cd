import type { Clock } from "../../src/core/clock.ts";
import { BufferForecast } from "../../src/health/forecast.ts";
import type { HealthReport } from "../../src/health/health.ts";
import type { MetricSources } from "../../src/health/metric.ts";
import type { Metrics } from "../../src/health/metrics.ts";
import type { HealthAnswer, WebPorts } from "../../src/web/ports.ts";
import type { Agent } from "../compose.ts";
import type { FramepostConfig } from "../config-schema.ts";
import type { Part } from "../lifecycle.ts";
import { diskStatus } from "../remote/host.ts";
import type { ControlFacts } from "../remote/commands.ts";
import { healthReport } from "../report.ts";
import { agentVersion } from "../version.ts";
import { Certificates } from "./certificates.ts";
import { memoryOf, ProcessWatch } from "./process-figures.ts";
import { unreadyReasons } from "./readiness.ts";
import { Recent } from "./recent.ts";

export interface AgentHealthParts {
  readonly agent: Agent;
  readonly config: FramepostConfig;
  readonly dataFolder: string;
  /** Outlives a round: it knows the last hours. */
  readonly forecast: BufferForecast;
  /** Asked when it is needed; undefined without remote control. */
  readonly control: () => ControlFacts | undefined;
  /** Of the config in force. */
  readonly changes: () => MetricSources["config"];
  /** Of the page, since the process began. */
  readonly pageCommands: () => MetricSources["pageCommands"];
}

interface Asked {
  readonly report: HealthReport;
  readonly disk: Awaited<ReturnType<typeof diskStatus>>;
  readonly bufferDaysLeft: number | undefined;
}

/** What a running agent tells of itself to those who watch it. */
export class AgentHealth implements WebPorts, Part {
  readonly name = "health";
  readonly #parts: AgentHealthParts;
  readonly #clock: Clock;
  readonly #recent: Recent<Asked>;
  readonly #watch = new ProcessWatch();
  readonly #certificates: Certificates;
  readonly #version = agentVersion();
  #metrics: Promise<Metrics> | undefined;
  #since: { readonly state: string; readonly atMs: number } | undefined;

  constructor(parts: AgentHealthParts, clock: Clock) {
    this.#parts = parts;
    this.#clock = clock;
    this.#certificates = new Certificates(parts.config, clock);
    this.#recent = new Recent(() => this.#ask(), clock);
  }

  late(): readonly string[] {
    return this.#parts.agent.pulses.late().map(({ name }) => name);
  }

  async unready(): Promise<readonly string[]> {
    const { report } = await this.#recent.get();
    return unreadyReasons(report, this.#parts.agent.vision.model() !== undefined);
  }

  async health(): Promise<HealthAnswer> {
    const { report, disk, bufferDaysLeft } = await this.#recent.get();
    const days = bufferDaysLeft === undefined ? {} : { bufferDaysLeft: Math.round(bufferDaysLeft * 100) / 100 };
    const nowMs = this.#clock.monotonicMs();
    if (this.#since?.state !== report.state) this.#since = { state: report.state, atMs: nowMs };
    return {
      state: report.state,
      stateForMs: Math.round(nowMs - this.#since.atMs),
      report: {
        version: this.#version,
        ...days,
        ...report,
        ...(disk === undefined ? {} : { disk }),
      },
    };
  }

  async metrics(): Promise<string> {
    // Loaded by the first who asks: most devices are asked by nobody.
    this.#metrics ??= import("../../src/health/metrics.ts").then(({ Metrics: Loaded }) => new Loaded());
    return await (await this.#metrics).text(await this.#sources());
  }

  async start(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends what watches in the background. */
  async stop(): Promise<void> {
    this.#watch.stop();
    return Promise.resolve();
  }

  async #ask(): Promise<Asked> {
    const { agent, config, dataFolder, forecast } = this.#parts;
    const { maxBytes, minFreeBytes } = config.spool;
    const report = await healthReport(agent, this.#clock);
    const disk = await diskStatus(dataFolder, minFreeBytes);
    if (report.spool === undefined) return { report, disk, bufferDaysLeft: undefined };
    const { bytes } = report.spool;
    forecast.note(bytes);
    const onDisk = disk === undefined ? Infinity : disk.freeBytes - disk.reserveBytes;
    const bufferDaysLeft = forecast.daysLeft({ bytes, roomBytes: Math.min(maxBytes - bytes, onDisk) });
    return { report, disk, bufferDaysLeft };
  }

  async #sources(): Promise<MetricSources> {
    const { agent, config, control, changes, pageCommands } = this.#parts;
    const { report, disk, bufferDaysLeft } = await this.#recent.get();
    const model = agent.vision.model();
    const visionMemoryBytes = await memoryOf(report.vision.pid);
    const facts = control();
    return {
      report,
      version: this.#version,
      ...(model === undefined ? {} : { model }),
      lateLoops: agent.pulses.late().length,
      ...(disk === undefined ? {} : { disk }),
      waiting: await agent.spool.waiting().catch(() => []),
      spoolBytesMax: config.spool.maxBytes,
      ...(bufferDaysLeft === undefined ? {} : { bufferDaysLeft }),
      ...(visionMemoryBytes === undefined ? {} : { visionMemoryBytes }),
      process: await this.#watch.figures(),
      ...(facts === undefined ? {} : { control: controlFigures(facts) }),
      pageCommands: pageCommands(),
      config: changes(),
      hidden: config.cameras.map(({ id, privacy }) => ({
        camera: id,
        mask: privacy?.mask !== undefined,
        blur: privacy?.blur !== undefined,
      })),
      certificates: await this.#certificates.daysLeft(),
    };
  }
}

function controlFigures(facts: ControlFacts): NonNullable<MetricSources["control"]> {
  const { state, connections } = facts.link();
  return { isConnected: state === "connected", connections, commands: facts.requestsByCommand() };
}
