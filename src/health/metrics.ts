/** The only home of prom-client: figures of the agent in the form that Prometheus reads. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { HistogramSnapshot } from "../core/counters.ts";
import { metricPrefix, metricTable } from "./metric-table.ts";
import type { HistogramMetric, Metric, MetricSources, PlainMetric } from "./metric.ts";

type Refresh = (sources: MetricSources) => void;

/** Reads what the parts count themselves: nothing is counted twice, and nothing is counted while nobody asks. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #refresh: readonly Refresh[];

  constructor(table: readonly Metric[] = metricTable) {
    this.#refresh = table.map((metric) =>
      metric.type === "histogram" ? this.#histogram(metric) : this.#plain(metric),
    );
  }

  async text(sources: MetricSources): Promise<string> {
    for (const refresh of this.#refresh) refresh(sources);
    return await this.#registry.metrics();
  }

  #plain({ type, name, help, labels, read }: PlainMetric): Refresh {
    const options = { name: `${metricPrefix}${name}`, help, labelNames: [...labels], registers: [this.#registry] };
    const metric = type === "gauge" ? new Gauge(options) : new Counter(options);
    return (sources) => {
      metric.reset();
      // A figure that is not known is left out; one without labels is at 0 after a reset.
      if (labels.length === 0) metric.remove();
      for (const { labels: of = {}, value } of read(sources)) metric.inc(of, value);
    };
  }

  #histogram({ name, help, read }: HistogramMetric): Refresh {
    const metric = new SnapshotHistogram(`${metricPrefix}${name}`, help, this.#registry);
    return (sources) => (metric.snapshot = read(sources));
  }
}

/** Shows what was counted elsewhere, where prom-client's own counts each value itself. */
class SnapshotHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  snapshot: HistogramSnapshot | undefined;

  constructor(name: string, help: string, registry: Registry) {
    super({ name, help, registers: [registry] });
    this.#name = name;
    this.#help = help;
  }

  /** What the registry asks for, before `get`. */
  getForPromString() {
    const described = { name: this.#name, help: this.#help, type: "histogram" };
    if (this.snapshot === undefined) return { ...described, values: [] };
    const { buckets, count, sum } = this.snapshot;
    const bounds = buckets.map(({ atMost, count: below }) => ({ le: String(atMost), below }));
    return {
      ...described,
      values: [
        ...[...bounds, { le: "+Inf", below: count }].map(({ le, below }) => ({
          metricName: `${this.#name}_bucket`,
          labels: { le },
          value: below,
        })),
        { metricName: `${this.#name}_sum`, labels: {}, value: sum },
        { metricName: `${this.#name}_count`, labels: {}, value: count },
      ],
    };
  }
}
