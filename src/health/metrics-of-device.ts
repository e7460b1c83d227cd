import { figure, figures, type Metric, type Sample } from "./metric.ts";

/** The agent itself: whether it is well, who steers it, and what it takes. */
const agent: readonly Metric[] = [
  figures("gauge", { name: "info", labels: ["version"] }, "Always 1: the version of Framepost", ({ version }) => [
    { labels: { version }, value: 1 },
  ]),
  figure("gauge", "uptime_seconds", "Since the process was started", ({ report }) => report.uptimeMs / 1_000),
  figure("gauge", "degraded", "1 while some part is not at work; /healthz says which", ({ report }) =>
    report.state === "ok" ? 0 : 1,
  ),
  figure("gauge", "late_loops", "Loops that do not turn any more: a fault of Framepost", ({ lateLoops }) => lateLoops),
  figures(
    "gauge",
    { name: "clock_info", labels: ["quality"] },
    "1 for what is known of the clock: synchronised, unsynchronised or unknown",
    ({ report: { clock } }) => (clock === undefined ? [] : [{ labels: { quality: clock.quality }, value: 1 }]),
  ),
  figure("gauge", "config_revision", "Grows with every change by command", ({ config }) => config.revision),
  figure(
    "gauge",
    "config_last_change_kept",
    "0 after a change that was taken back because the agent did not work with it",
    ({ config }) => (config.lastChangeKept ? 1 : 0),
  ),
  figure(
    "gauge",
    "config_last_good",
    "1 while the config file is refused and the last good one is in force",
    ({ config }) => (config.isLastGood ? 1 : 0),
  ),
  figures(
    "gauge",
    { name: "certificate_left_days", labels: ["user"] },
    "Until this device's own certificate expires: that of web.tls, and those it shows to brokers and platforms",
    ({ certificates }) => certificates.map(({ user, daysLeft }) => ({ labels: { user }, value: daysLeft })),
  ),
];

const steering: readonly Metric[] = [
  figure("gauge", "broker_connected", "1 while remote control is connected; absent without it", (from) =>
    from.control === undefined ? undefined : from.control.isConnected ? 1 : 0,
  ),
  figure("counter", "broker_connections_total", "Times that it was connected", (from) => from.control?.connections),
  figures(
    "counter",
    { name: "commands_total", labels: ["origin", "command", "outcome"] },
    "Requests over MQTT and of the page by what they came to: done, refused, failed or expired",
    ({ control, pageCommands }) => [...commands("mqtt", control?.commands ?? {}), ...commands("page", pageCommands)],
  ),
];

function commands(origin: string, counts: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(counts).map(([name, value]) => {
    const [command = "", outcome = ""] = name.split(" ", 2);
    return { labels: { origin, command, outcome }, value };
  });
}

const machine: readonly Metric[] = [
  figure("gauge", "memory_bytes", "Resident memory of the main process", ({ report }) => report.memory.rssBytes),
  figure("gauge", "memory_peak_bytes", "The most that it had", ({ report }) => report.memory.rssPeakBytes),
  figure("gauge", "heap_bytes", "What its JavaScript holds", ({ report }) => report.memory.heapUsedBytes),
  figure("counter", "cpu_seconds_total", "Processor time of the main process", (from) => from.process.cpuSeconds),
  figure("gauge", "open_descriptors", "Files and connections it holds open", (from) => from.process.openDescriptors),
  figures(
    "gauge",
    { name: "event_loop_lag_seconds", labels: ["quantile"] },
    "How late its timers were since they were asked for last; from the second time on",
    ({ process: { loopLag } }) =>
      loopLag === undefined
        ? []
        : [
            { labels: { quantile: "0.5" }, value: loopLag.p50Ms / 1_000 },
            { labels: { quantile: "0.99" }, value: loopLag.p99Ms / 1_000 },
            { labels: { quantile: "1" }, value: loopLag.maxMs / 1_000 },
          ],
  ),
];

export const metricsOfDevice: readonly Metric[] = [...agent, ...steering, ...machine];
