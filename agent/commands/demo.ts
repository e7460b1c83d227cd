import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultModel } from "../../src/config/sections.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { CameraDriver, Logger, Seams, Target } from "../../src/core/ports.ts";
import { BufferForecast } from "../../src/health/forecast.ts";
import { createControlledLogger } from "../../src/log/logger.ts";
import { LogRing } from "../../src/log/ring.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { pageRoutes } from "../../src/web/page/routes.ts";
import { type Agent, composeAgent } from "../compose.ts";
import { configSchema, type FramepostConfig } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { DemoSettings } from "../demo-settings.ts";
import { demoSummary, statusLine, summaryLines } from "../demo-summary.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { AgentHealth, type AgentHealthParts } from "../health/agent-health.ts";
import { Lifecycle } from "../lifecycle.ts";
import { observedTarget } from "../observed-target.ts";
import { agentCommands } from "../remote/commands.ts";
import { TruthScore } from "../truth-score.ts";
import { PageMemory } from "../web/page-memory.ts";
import { type PagePart, pagePart } from "../web/page-part.ts";
import { webPart, type WebPart } from "../web/web-part.ts";

export interface DemoOptions {
  readonly frames?: number;
  readonly interval?: number;
  readonly seed?: number;
}

const statusEveryMs = 100;
/** Without a record accepted for this long the demo has failed, and says so instead of waiting for ever. */
const stuckAfterMs = 60_000;

/**
 * The whole chain on one machine with nothing installed: simulated camera, bundled detector, spool, and the sandboxes of
 * IoT.own and of an MQTT broker. What the demo says arrived went through all of it.
 */
export async function demo(context: CommandContext, options: DemoOptions): Promise<ExitCode> {
  const { terminal, clock, random } = context;
  const dataFolder = await mkdtemp(join(tmpdir(), "framepost-demo-"));
  const token = randomBytes(12).toString("hex");
  context.hide([token]);
  const truth = new TruthScore();
  const iotown = new IotownSandbox({ token, onImage: (image) => truth.received(image) });
  const broker = new SandboxBroker();
  const logRing = new LogRing();
  const level = context.logLevel ?? "warn";
  const { log, control: logControl } = createControlledLogger({
    level,
    secrets: [token],
    journald: false,
    ring: logRing,
  });
  const seams: Seams = { clock, random, log };
  try {
    const [http, mqtt] = [await iotown.start(), await broker.start()];
    const config = demoConfig(options, { token, iotownUrl: http.url, mqttUrl: mqtt.url });
    const firsts = new FirstAccepted(config.targets.length);
    const wrapDriver = (driver: CameraDriver) => truth.watch(driver);
    const wrapTarget = (target: Target) => firsts.watch(target);
    const bound = options.frames === undefined ? {} : { recordsMax: options.frames };
    const agent = await composeAgent(config, { dataFolder, wrapDriver, wrapTarget, ...bound }, seams);
    const settings = new DemoSettings({
      agent,
      config,
      secrets: [token],
      settings: { dataFolder, logControl, logRing },
    });
    const offered = agentCommands(config, { agent, instance: "demo", settings, control: () => undefined }, seams);
    const memory = new PageMemory();
    const page = pagePart(config, { agent, memory, settings, offered, control: () => undefined }, seams);
    const web = await webPart(
      config,
      {
        ports: demoHealth(agent, { config, dataFolder, memory }, clock),
        page: [pageRoutes(page.port, clock)],
        orAnyPort: true,
      },
      seams,
    );
    terminal.note(
      `Simulated camera → ${config.detector.model ?? defaultModel} → spool → IoT.own at ${http.url} and MQTT at ${mqtt.url}`,
    );
    terminal.note(options.frames === undefined ? "Ctrl-C ends it." : `It ends after ${options.frames} records.`);

    const complete = await play(context, { agent, page, web, frames: options.frames }, log);
    const summary = demoSummary(agent, {
      complete,
      ...firsts.facts(),
      violations: iotown.counts().violations + broker.counts().violations,
      truth: truth.result(),
    });
    for (const violation of [...iotown.violations(), ...broker.violations()]) {
      terminal.note(`contract violation: ${violation}`);
    }
    for (const line of context.json ? [JSON.stringify(summary)] : summaryLines(summary)) terminal.data(line);
    return complete && summary.contractViolations === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    await iotown.stop();
    await broker.stop();
    await rm(dataFolder, { recursive: true, force: true });
  }
}

function demoHealth(
  agent: Agent,
  { config, dataFolder, memory }: Pick<AgentHealthParts, "config" | "dataFolder"> & { readonly memory: PageMemory },
  clock: Clock,
): AgentHealth {
  const forecast = new BufferForecast(clock);
  const changes = () => ({ revision: 0, lastChangeKept: true, isLastGood: false });
  const pageCommands = () => memory.commands.snapshot();
  const control = () => undefined;
  return new AgentHealth({ agent, config, dataFolder, forecast, control, changes, pageCommands }, clock);
}

/** When every target had accepted its first record, in milliseconds since the process started. */
class FirstAccepted {
  readonly #targets: number;
  readonly #seen = new Set<string>();
  #atMs: number | undefined;

  constructor(targets: number) {
    this.#targets = targets;
  }

  watch(target: Target): Target {
    return observedTarget(target, (targetId, _recordId, outcome) => {
      if (outcome.kind !== "accepted" || this.#seen.has(targetId)) return;
      this.#seen.add(targetId);
      if (this.#seen.size === this.#targets) this.#atMs = performance.now();
    });
  }

  facts(): { readonly firstRecordAcceptedMs?: number } {
    return this.#atMs === undefined ? {} : { firstRecordAcceptedMs: Math.round(this.#atMs) };
  }
}

interface Demonstration {
  readonly agent: Agent;
  readonly page: PagePart;
  readonly web: WebPart;
  readonly frames: number | undefined;
}

/** True when it ended as asked: after all records were accepted by every target, or by Ctrl-C where no end was set. */
async function play(
  context: CommandContext,
  { agent, page, web, frames }: Demonstration,
  log: Logger,
): Promise<boolean> {
  const { terminal, clock, signal } = context;
  const standing = new Lifecycle([agent.parts.spool, page, web, agent.parts.vision, ...agent.parts.sending], log);
  const capturing = new Lifecycle(agent.parts.capturing, log);
  let lastProgress = { accepted: 0, atMs: clock.monotonicMs() };
  try {
    await standing.start(signal);
    const url = web.url();
    if (url !== undefined) terminal.note(`Look at it: ${url}`);
    await capturing.start(signal);
    while (!signal.aborted) {
      terminal.status(statusLine(agent));
      const accepted = Math.min(...agent.loops.map((loop) => loop.health().accepted));
      if (accepted !== lastProgress.accepted) lastProgress = { accepted, atMs: clock.monotonicMs() };
      if (frames !== undefined) {
        if (accepted >= frames) return true;
        if (clock.monotonicMs() - lastProgress.atMs > stuckAfterMs) return false;
      }
      await clock.sleep(statusEveryMs, signal).catch(() => undefined);
    }
    return frames === undefined;
  } finally {
    await capturing.stop();
    await standing.stop();
  }
}

/** What a config file for the same would say; parsed, so that every default is the real one. */
function demoConfig(
  options: DemoOptions,
  servers: { readonly token: string; readonly iotownUrl: string; readonly mqttUrl: string },
): FramepostConfig {
  const { interval = 200, seed = 1 } = options;
  return configSchema.parse({
    device: { name: "demo" },
    cameras: [{ id: "scene", driver: "simulated", interval: `${interval}ms`, seed }],
    detector: { model: "tiny-end-to-end" },
    spool: { maxBytes: "64MB", minFreeBytes: "1MB" },
    targets: [
      { id: "iotown", kind: "iotown", url: servers.iotownUrl, token: servers.token },
      { id: "mqtt", kind: "mqtt", url: servers.mqttUrl },
    ],
  });
}
