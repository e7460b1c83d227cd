import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Seams } from "../../src/core/ports.ts";
import { SimulatedDriver } from "../../src/capture/simulated.ts";
import { createLogger } from "../../src/log/logger.ts";
import { SandboxBroker } from "../../src/sandbox/broker.ts";
import { IotownSandbox } from "../../src/sandbox/iotown/server.ts";
import { type Agent, composeAgent } from "../compose.ts";
import { configSchema, type FramepostConfig } from "../config-schema.ts";
import type { CommandContext } from "../context.ts";
import { demoSummary, statusLine } from "../demo-summary.ts";
import { exitCodes, type ExitCode } from "../exit-codes.ts";
import { Lifecycle } from "../lifecycle.ts";
import { TruthScore } from "../truth-score.ts";

export interface DemoOptions {
  readonly frames?: number;
  readonly interval?: number;
  readonly seed?: number;
}

const defaultIntervalMs = 200;
const statusEveryMs = 100;
/** Without progress for this long the demo has failed and says so. */
const stuckAfterMs = 60_000;

/**
 * The whole chain on one machine with nothing installed: simulated camera, bundled detector, spool, and the sandboxes of
 * IoT.own and of an MQTT broker. What the demo shows arrived really went through all of it.
 */
export async function demo(context: CommandContext, options: DemoOptions): Promise<ExitCode> {
  const { terminal, clock, random } = context;
  const dataFolder = await mkdtemp(join(tmpdir(), "framepost-demo-"));
  const token = randomBytes(12).toString("hex");
  const truth = new TruthScore();
  const iotown = new IotownSandbox({ token, onImage: (image) => truth.score(image.sha256, image) });
  const broker = new SandboxBroker();
  const log = createLogger({ level: context.logLevel ?? "warn", secrets: [token], journald: false });
  const seams: Seams = { clock, random, log };
  try {
    const [http, mqtt] = [await iotown.start(), await broker.start()];
    const config = demoConfig({ ...options, token, iotownUrl: http.url, mqttUrl: mqtt.url });
    const agent = await composeAgent(
      config,
      {
        dataFolder,
        wrapDriver: (driver) => (driver instanceof SimulatedDriver ? withTruth(driver, truth) : driver),
      },
      seams,
    );
    terminal.note(`Framepost demo: a simulated camera, the model ${config.detector.model}, IoT.own at ${http.url}, MQTT at ${mqtt.url}`);
    terminal.note(options.frames === undefined ? "Ctrl-C ends it." : `It ends after ${options.frames} records.`);
    const finished = await play(context, agent, options.frames, log);
    const summary = demoSummary(agent, await agent.spool.stats().catch(() => undefined), {
      iotown: iotown.counts(),
      mqtt: broker.counts(),
      truth: truth.result(),
    });
    await stopAll();
    const violations = [...iotown.violations(), ...broker.violations()];
    for (const violation of violations) terminal.note(`contract violation: ${violation}`);
    if (context.json) terminal.data(JSON.stringify({ ...summary, complete: finished }));
    else for (const line of summaryLines(summary)) terminal.data(line);
    return finished && violations.length === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    await iotown.stop();
    await broker.stop();
    await rm(dataFolder, { recursive: true, force: true });
  }
}
