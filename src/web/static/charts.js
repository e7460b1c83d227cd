import { byId, drawn, element, say, show } from "./dom.js";
import { span } from "./text.js";

/** How much there was in each of the last minutes. */

const [width, height] = [240, 56];
const kinds = [
  ["frames", "Frames a minute"],
  ["detections", "Detections a minute"],
  ["uploads", "Uploads a minute"],
  ["queue", "Deliveries waiting"],
];

const charts = new Map(
  kinds.map(([name, title]) => {
    const line = drawn("polyline", { class: "line" });
    const area = drawn("polygon", { class: "area" });
    const svg = drawn(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
      area,
      line,
    );
    const now = element("strong", {}, "–");
    const range = element("span", { class: "hint" });
    const node = element(
      "figure",
      { class: "chart" },
      element("figcaption", {}, element("span", {}, title), now),
      svg,
      element("div", { class: "range" }, range),
    );
    byId("charts").append(node);
    return [name, { title, line, area, svg, now, range }];
  }),
);

export function showCharts(series) {
  const hasPoints = series.frames.length > 0;
  show(byId("charts"), hasPoints);
  show(byId("charts-empty"), !hasPoints);
  if (!hasPoints) return;
  for (const [name, chart] of charts) {
    const values = series[name];
    const most = Math.max(1, ...values);
    // One point alone is a level line.
    const drawnValues = values.length === 1 ? [values[0], values[0]] : values;
    const points = drawnValues.map((value, at) => {
      const x = (at / (drawnValues.length - 1)) * width;
      return `${x.toFixed(1)},${(height - 2 - (value / most) * (height - 6)).toFixed(1)}`;
    });
    chart.line.setAttribute("points", points.join(" "));
    chart.area.setAttribute("points", `0,${height} ${points.join(" ")} ${width},${height}`);
    const [last, over] = [values.at(-1), span(values.length * series.everyMs)];
    say(chart.now, last.toLocaleString("en"));
    say(chart.range, `${over} · at most ${Math.max(...values).toLocaleString("en")}`);
    chart.svg.setAttribute(
      "aria-label",
      `${chart.title}: now ${last}, at most ${Math.max(...values)} in the last ${over}`,
    );
  }
}
