import { metricPrefix } from "../../src/health/metric-table.ts";
import type { Metric } from "../../src/health/metric.ts";

const head = `# Metrics

Figures for Prometheus, at \`/metrics\` of the web server ([web.md](web.md)), and in a file for node_exporter where
\`metrics.textfile\` names one. A figure that is not known is absent, never 0. Counters begin anew when the agent does,
but for losses, which are counted since the spool began. Labels have few values: ids of the config, codes of errors,
names of commands, and at most 256 labels of detections.

Worth an alert: \`framepost_late_loops > 0\`, \`framepost_camera_up == 0\`, \`framepost_buffer_left_days < 2\`,
\`framepost_quarantined_records > 0\`, \`increase(framepost_losses_total[1d]) > 0\`, and no scrape at all.

<!-- prettier-ignore-start -->
| metric | type | labels | what it says |
| --- | --- | --- | --- |
`;

/** docs/metrics.md. */
export function metricsPage(table: readonly Metric[]): string {
  const rows = table.map(({ name, type, labels, help }) => {
    const named = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${metricPrefix}${name}\` | ${type} | ${named} | ${help} |\n`;
  });
  return `${head}${rows.join("")}<!-- prettier-ignore-end -->\n`;
}
