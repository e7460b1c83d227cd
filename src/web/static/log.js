import { act, ask } from "./commands.js";
import { byId, element, say, show } from "./dom.js";

/** The end of the log. */

const linesMax = 200;
const levels = ["debug", "info", "warn", "error"];
const log = byId("log");
const least = byId("log-level");

export function addLines(lines) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(...lines.map(row));
  while (log.children.length > linesMax) log.firstElementChild.remove();
  filter();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function row(line) {
  let entry;
  try {
    entry = JSON.parse(line);
  } catch {
    // Cut to length: still worth reading.
    return element("li", { "data-level": /"level":"(\w+)"/.exec(line)?.[1] ?? "info" }, line);
  }
  const { time, level, event, ...fields } = entry;
  const more = Object.entries(fields).map(([name, value]) => `${name}=${short(value)}`);
  const at = typeof time === "string" ? time.slice(11, 19) : "";
  return element(
    "li",
    { "data-level": level },
    element("time", {}, at),
    " ",
    element("span", { class: "level" }, level),
    " ",
    element("strong", {}, event),
    ` ${more.join(" ")}`,
  );
}

function short(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function filter() {
  const from = levels.indexOf(least.value);
  let count = 0;
  for (const line of log.children) {
    line.hidden = levels.indexOf(line.dataset.level) < from;
    if (!line.hidden) count += 1;
  }
  show(byId("log-empty"), count === 0);
  say(byId("log-empty"), "No line of this level.");
}

least.addEventListener("change", () => {
  filter();
  log.scrollTop = log.scrollHeight;
});

byId("log-more").addEventListener("click", ({ currentTarget }) =>
  act(currentTarget, "Logging more", async () => {
    await ask("log.level", { level: "debug", durationMs: 600_000 });
    least.value = "debug";
    filter();
    return "Everything is logged for 10 minutes";
  }),
);
