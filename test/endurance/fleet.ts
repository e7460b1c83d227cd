import { join } from "node:path";
import { SystemClock } from "../../src/core/clock.ts";
import type { FleetBroker } from "../../agent/fleet/broker.ts";
import { ConnectLog, mostInOneSecond } from "../../agent/fleet/simulation/connect-log.ts";
import { Simulation } from "../../agent/fleet/simulation/simulation.ts";
import { atMost, type BenchTable, percentile, rounded } from "../bench/table.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { isInstalled } from "../lib/programs.ts";
import { tempFolder } from "../lib/temp.ts";
import { never } from "../lib/vision.ts";
import { leftOut } from "./suite.ts";

const devices = Number(process.env["FRAMEPOST_FLEET_DEVICES"] ?? 1_000);
const title = `Fleet: ${devices} devices at one Mosquitto, which is away for a minute`;
const awayMs = 60_000;
const rounds = 5;

/**
 * `npm run test:endurance -- fleet`: light devices with the real control link, inbox, delivery loop and target in one
 * process, against a real Mosquitto on the loopback address that is ended and started again.
 */
export async function fleet(): Promise<BenchTable> {
  if (!isInstalled("mosquitto")) return leftOut(title, "needs mosquitto (Debian package mosquitto)");
  await using folder = await tempFolder();
  // Without these bounds what waits for the receiver while it is away would be thrown away by the broker.
  const lines = ["allow_anonymous true", "persistence true", "persistence_location @/", "max_queued_messages 0"];
  const mosquitto = await new Mosquitto({ lines }).start();
  const clock = new SystemClock();
  const rssBefore = process.memoryUsage.rss();
  const broker: FleetBroker = {
    ...{ url: mosquitto.url, protocol: "auto", root: "framepost", responseTopics: ["framepost/reply/"] },
  };
  const options = { devices, groups: 4, intervalMs: 10_000, pictureBytes: 20_000, connectsPerSecond: 200 };
  const simulation = new Simulation(
    {
      ...options,
      broker,
      stateFolder: join(folder.path, "state"),
    },
    { clock, random: Math.random, log: new ConnectLog(clock) },
  );
  try {
    const startedMs = clock.monotonicMs();
    await simulation.start(never);
    await simulation.allUp(AbortSignal.timeout(120_000));
    const upMs = clock.monotonicMs() - startedMs;
    const bytesPerDevice = (process.memoryUsage.rss() - rssBefore) / devices;
    await clock.sleep(5_000, never);
    const asked = [];
    for (let round = 0; round < rounds; round += 1) {
      await clock.sleep(1_500, never);
      asked.push(await simulation.ask({ kind: "all" }, 30_000, never));
    }
    await mosquitto.kill("SIGTERM");
    await clock.sleep(awayMs, never);
    await mosquitto.launch();
    const backMs = clock.monotonicMs();
    await simulation.allUp(AbortSignal.timeout(300_000));
    const allBackMs = clock.monotonicMs() - backMs;
    const after = await simulation.ask({ kind: "all" }, 30_000, never);
    const isDrained = await simulation.drained(180_000, never);
    const { captured, received, duplicates, givenUp } = simulation.records();
    const since = (log: ConnectLog) => log.connectedAtMs.filter((atMs) => atMs >= backMs);
    const [control, upload] = [since(simulation.controlConnects), since(simulation.uploadConnects)];
    const share = (times: readonly number[]) => rounded((100 * mostInOneSecond(times)) / Math.max(1, times.length), 1);
    const both = [...control, ...upload].toSorted((a, b) => a - b);
    const latencies = asked.flatMap(({ latenciesMs }) => latenciesMs);
    const worstMs = Math.max(...latencies);
    const missing = [...asked, after].reduce((sum, each) => sum + each.missing, 0);
    return {
      title,
      columns: ["what", "value"],
      rows: [
        ["all up after the start (200 devices a second are started), s", rounded(upMs / 1_000, 1)],
        ["memory a device in the simulating process, KB", Math.round(bytesPerDevice / 1_024)],
        [`one command to all, ${rounds} times: replies p50, ms`, Math.round(percentile(latencies, 0.5))],
        ["p95, ms", Math.round(percentile(latencies, 0.95))],
        ["the last reply of the slowest time, ms", Math.round(worstMs)],
        ["all back after the broker is, s", rounded(allBackMs / 1_000, 1)],
        ["half of them back after, s", rounded((percentile(control, 0.5) - backMs) / 1_000, 1)],
        ["most connects for commands in any second, %", share(control)],
        ["most connects for uploads in any second, %", share(upload)],
        ["records taken", captured],
        ["records received", received],
        ["received twice", duplicates],
      ],
      verdicts: [
        atMost("all back, s", rounded(allBackMs / 1_000, 1), 90, "s"),
        atMost("most connects in any second, % of both kinds together", share(both), 15, "%"),
        atMost("the last reply to one command to all, s", rounded(worstMs / 1_000, 2), 3, "s"),
        atMost("replies missing", missing, 0),
        atMost("records lost", isDrained ? givenUp : captured - received, 0),
      ],
    };
  } finally {
    await simulation.stop();
    await mosquitto.stop();
  }
}
