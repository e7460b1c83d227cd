import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AgentError } from "../../../src/core/errors.ts";
import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { fleetBrokerOf } from "../../fleet/broker.ts";
import { ConnectLog, mostInOneSecond } from "../../fleet/simulation/connect-log.ts";
import { Simulation } from "../../fleet/simulation/simulation.ts";

export interface FleetSimulateOptions {
  readonly devices: number;
  readonly groups: number;
  readonly interval?: number;
  readonly pictureSize: number;
  readonly rate: number;
  readonly askEvery: number;
  readonly for?: number;
}

/** Light devices at a broker until Ctrl-C, or for a time. With `--json` a line a round, then the summary. */
export async function fleetSimulate(context: CommandContext, options: FleetSimulateOptions): Promise<ExitCode> {
  const { clock, random, signal, terminal, json } = context;
  const { devices, groups, interval, pictureSize: pictureBytes, rate: connectsPerSecond } = options;
  await mustHaveDescriptors(
    devices * Simulation.socketsOf({ ...(interval === undefined ? {} : { intervalMs: interval }) }),
  );
  const broker = await fleetBrokerOf(context);
  const stateFolder = await mkdtemp(join(await fastFolder(), "framepost-simulate-"));
  const before = process.memoryUsage.rss();
  const simulation = new Simulation(
    {
      ...{ broker, devices, groups, pictureBytes, connectsPerSecond, stateFolder },
      ...(interval === undefined ? {} : { intervalMs: interval }),
    },
    { clock, random, log: new ConnectLog(clock) },
  );
  const ending = options.for === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(options.for)]);
  const beganMs = clock.monotonicMs();
  let rounds = 0;
  let missing = 0;
  const latenciesMs: number[] = [];
  try {
    await simulation.start(ending);
    await simulation.allUp(ending);
    const up = {
      ...{ devices, allUpMs: Math.round(clock.monotonicMs() - beganMs) },
      connectsPerSecondMax: mostInOneSecond(simulation.controlConnects.connectedAtMs),
      bytesPerDevice: Math.round((process.memoryUsage.rss() - before) / devices),
    };
    if (json) terminal.data(JSON.stringify(up));
    else {
      terminal.data(
        `${devices} devices up in ${(up.allUpMs / 1_000).toFixed(1)} s, at most ${up.connectsPerSecondMax} connects in a second`,
      );
      terminal.data(`${Math.round(up.bytesPerDevice / 1_024)} KB of memory a device in this process`);
    }
    while (!ending.aborted) {
      await clock.sleep(options.askEvery, ending);
      const asked = await simulation.ask({ kind: "all" }, askTimeoutMs, ending);
      rounds += 1;
      missing += asked.missing;
      latenciesMs.push(...asked.latenciesMs);
      if (latenciesMs.length > latenciesMax) latenciesMs.splice(0, latenciesMs.length - latenciesMax);
      showRound(context, simulation, asked);
    }
  } catch (error) {
    if (!ending.aborted) throw error;
  } finally {
    terminal.note("ending the devices");
    await simulation.stop();
    await rm(stateFolder, { recursive: true, force: true });
  }
  const summary = { devices, rounds, missing, replyMs: percentiles(latenciesMs), records: simulation.records() };
  if (json) terminal.data(JSON.stringify(summary));
  else terminal.data(`all rounds: ${percentileText(latenciesMs)}; ${missing} replies missing`);
  return exitCodes.ok;
}

const askTimeoutMs = 30_000;
const latenciesMax = 1_000_000;

function showRound(
  { terminal, json }: CommandContext,
  simulation: Simulation,
  { latenciesMs, missing }: { readonly latenciesMs: readonly number[]; readonly missing: number },
): void {
  const up = simulation.up();
  const records = simulation.records();
  if (json) terminal.data(JSON.stringify({ up, missing, replyMs: percentiles(latenciesMs), records }));
  else {
    const { captured, received, duplicates } = records;
    const counts = captured === 0 ? "" : `; ${captured} records, ${received} received, ${duplicates} twice`;
    terminal.data(`${up} up; ping: ${percentileText(latenciesMs)}, ${missing} missing${counts}`);
  }
}

function percentiles(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

function percentileText(values: readonly number[]): string {
  const { p50, p95, p99, max } = percentiles(values);
  return `${p50} ms p50, ${p95} p95, ${p99} p99, ${max} max`;
}

/** Node has raised the soft limit to the hard one. */
async function mustHaveDescriptors(sockets: number): Promise<void> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const [, max = "Infinity"] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  if (sockets + spareDescriptors <= Number(max)) return;
  const message = `${sockets} connections need more than the ${max} files that may be open here`;
  throw new AgentError("USAGE_DESCRIPTORS", `${message}: ulimit -n ${sockets + spareDescriptors}`, {
    disposition: "fatal",
  });
}

const spareDescriptors = 100;

/** The books of commands are flushed to disk with each effect; a disk that is memory does that for thousands. */
async function fastFolder(): Promise<string> {
  return (await readFile("/proc/mounts", "utf8").catch(() => "")).includes(" /dev/shm tmpfs rw")
    ? "/dev/shm"
    : tmpdir();
}
