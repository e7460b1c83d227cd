import type { HistogramSnapshot } from "../core/counters.ts";
import type { WaitingFor } from "../core/ports.ts";
import type { HealthReport } from "./health.ts";

/** What is measured of the agent at one moment. A part that does not answer is absent, and so are its metrics. */
export interface MetricSources {
  readonly report: HealthReport;
  readonly version: string;
  readonly model?: { readonly name: string; readonly sha256: string; readonly family: string };
  /** Loops that do not turn any more. */
  readonly lateLoops: number;
  readonly disk?: { readonly freeBytes: number; readonly reserveBytes: number };
  /** By target; empty where the spool does not answer. */
  readonly waiting: readonly WaitingFor[];
  /** What the spool may hold. */
  readonly spoolBytesMax: number;
  readonly bufferDaysLeft?: number;
  readonly visionMemoryBytes?: number;
  readonly process: ProcessFigures;
  /** Where remote control is configured. */
  readonly control?: ControlFigures;
  /** Requests of the page by command and state, `NAME STATE`. */
  readonly pageCommands: Readonly<Record<string, number>>;
  readonly config: ConfigFigures;
  /** Cameras in whose pictures something is hidden, by what the config says. */
  readonly hidden: readonly { readonly camera: string; readonly mask: boolean; readonly blur: boolean }[];
  readonly certificates: readonly CertificateFigure[];
}

export interface ConfigFigures {
  readonly revision: number;
  readonly lastChangeKept: boolean;
  /** The last one that worked is in force, in place of a file that is refused. */
  readonly isLastGood: boolean;
}

/** Of a certificate of this device's own. */
export interface CertificateFigure {
  readonly user: string;
  readonly daysLeft: number;
}

export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly openDescriptors?: number;
  /** How late timers are. */
  readonly loopLag?: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
}

export interface ControlFigures {
  readonly isConnected: boolean;
  readonly connections: number;
  /** Final replies by command and state, `NAME STATE`. */
  readonly commands: Readonly<Record<string, number>>;
}

export interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Described {
  /** Without the prefix `framepost_`. */
  readonly name: string;
  /** One sentence. */
  readonly help: string;
}

export interface PlainMetric extends Described {
  readonly type: "gauge" | "counter";
  readonly labels: readonly string[];
  /** Nothing where there is nothing to say: a figure that is not known is absent, never 0. */
  readonly read: (sources: MetricSources) => readonly Sample[];
}

export interface HistogramMetric extends Described {
  readonly type: "histogram";
  readonly labels: readonly [];
  /** In seconds. */
  readonly read: (sources: MetricSources) => HistogramSnapshot | undefined;
}

export type Metric = PlainMetric | HistogramMetric;

type Read<T> = (sources: MetricSources) => T;

/** A figure of the whole device. */
export function figure(
  type: PlainMetric["type"],
  name: string,
  help: string,
  read: Read<number | undefined>,
): PlainMetric {
  return {
    ...{ type, name, help, labels: [] },
    read(sources) {
      const value = read(sources);
      return value === undefined ? [] : [{ value }];
    },
  };
}

/** A figure of each of several things. */
export function figures(
  type: PlainMetric["type"],
  { name, labels }: { readonly name: string; readonly labels: readonly string[] },
  help: string,
  read: Read<readonly Sample[]>,
): PlainMetric {
  return { type, name, help, labels, read };
}
