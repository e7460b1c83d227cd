import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { Histogram } from "../../src/core/counters.ts";
import { healthLimits } from "../../src/core/limits.ts";
import { BufferForecast } from "../../src/health/forecast.ts";
import { figure, figures, type Metric, type MetricSources } from "../../src/health/metric.ts";
import { metricTable } from "../../src/health/metric-table.ts";
import { Metrics } from "../../src/health/metrics.ts";
import { SimulatedClock } from "../lib/seams.ts";

// These tables read nothing of it.
const nothing = {} as MetricSources;

describe("metrics", () => {
  it("are in the form that Prometheus reads, with text of others escaped", async () => {
    const histogram = new Histogram([1, 5]);
    for (const value of [0.5, 1, 3, 99]) histogram.add(value);
    const table: readonly Metric[] = [
      figure("gauge", "plain", "A figure", () => 2.5),
      figures("counter", { name: "seen_total", labels: ["label"] }, "Some", () => [
        { labels: { label: 'a "b"\\\n' }, value: 3 },
      ]),
      { type: "histogram", name: "took_seconds", help: "Time", labels: [], read: () => histogram.snapshot() },
    ];
    assert.equal(
      await new Metrics(table).text(nothing),
      [
        "# HELP framepost_plain A figure\n# TYPE framepost_plain gauge\nframepost_plain 2.5\n",
        '# HELP framepost_seen_total Some\n# TYPE framepost_seen_total counter\nframepost_seen_total{label="a \\"b\\"\\\\\\n"} 3\n',
        "# HELP framepost_took_seconds Time\n# TYPE framepost_took_seconds histogram",
        'framepost_took_seconds_bucket{le="1"} 2\nframepost_took_seconds_bucket{le="5"} 3',
        'framepost_took_seconds_bucket{le="+Inf"} 4\nframepost_took_seconds_sum 103.5\nframepost_took_seconds_count 4\n',
      ].join("\n"),
    );
  });

  it("leave out what is not known, and what is gone", async () => {
    let value: number | undefined = 1;
    const metrics = new Metrics([
      figure("gauge", "a", "A", () => value),
      figure("counter", "b_total", "B", () => value),
      { type: "histogram", name: "c_seconds", help: "C", labels: [], read: () => undefined },
    ]);
    const samples = async () => (await metrics.text(nothing)).split("\n").filter((line) => /^[^#]/.test(line));
    assert.deepEqual(await samples(), ["framepost_a 1", "framepost_b_total 1"]);
    value = undefined;
    assert.deepEqual(await samples(), []);
    value = 0;
    assert.deepEqual(await samples(), ["framepost_a 0", "framepost_b_total 0"]);
  });

  it("have names of their own, as Prometheus wants them", () => {
    const names = metricTable.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const { name, type, help } of metricTable) {
      assert.match(name, /^[a-z][a-z_]+[a-z]$/);
      assert.equal(name.endsWith("_total"), type === "counter", name);
      assert.doesNotMatch(help, /[|\n]|\.$/, name);
    }
  });
});

describe("the days that the buffer lasts", () => {
  const dayMs = 24 * 60 * 60_000;

  it("follow from how fast it has filled, and are unknown while it does not", () => {
    const clock = new SimulatedClock();
    const forecast = new BufferForecast(clock);
    assert.equal(forecast.daysLeft({ bytes: 0, roomBytes: 100 }), undefined);
    forecast.note(1_000);
    clock.advance(dayMs / 24);
    forecast.note(1_500);
    assert.equal(forecast.daysLeft({ bytes: 2_000, roomBytes: 24_000 })?.toFixed(6), "1.000000");
    assert.equal(forecast.daysLeft({ bytes: 1_000, roomBytes: 24_000 }), undefined);
    assert.equal(forecast.daysLeft({ bytes: 900, roomBytes: 24_000 }), undefined);
    assert.equal(forecast.daysLeft({ bytes: 2_000, roomBytes: -5 }), 0);
  });

  it("look at the last hours only", () => {
    const clock = new SimulatedClock();
    const forecast = new BufferForecast(clock);
    forecast.note(0);
    for (let count = 0; count < healthLimits.forecastSamplesMax; count += 1) {
      clock.advance(healthLimits.forecastSampleMs);
      forecast.note(1_000_000);
    }
    assert.equal(forecast.daysLeft({ bytes: 1_000_000, roomBytes: 1 }), undefined);
  });
});
