import { act, ask } from "./commands.js";
import { byId, button, element, list, say, show } from "./dom.js";
import { ago, bytes, moment, serverNow, span } from "./text.js";

/** Where records are sent to, and how that stands. */

export function showTargets(targets) {
  show(byId("targets-empty"), targets.length === 0);
  list(byId("targets"), targets, ({ id }) => id, make);
}

/** What may be sent, over all targets together. */
export function showUpload({ limitBytesPerSecond, budgets }) {
  show(byId("upload"), limitBytesPerSecond !== undefined || budgets.length > 0);
  const limit = limitBytesPerSecond === undefined ? "" : `At most ${bytes(limitBytesPerSecond)} of pictures a second.`;
  say(byId("upload-limit"), limit);
  show(byId("upload-limit"), limit !== "");
  list(byId("budgets"), budgets, ({ period }) => period, makeBudget);
}

function makeBudget({ period }) {
  const name = period === "day" ? "today" : "this month";
  const text = element("span", {});
  const meter = element("meter", { class: "full", min: 0, max: 1, high: 0.9, "aria-label": `Sent ${name}` });
  const left = element("span", { class: "hint" });
  const node = element("li", {}, text, meter, left);
  node.update = (budget) => {
    const used = budget.max - budget.left;
    say(text, `${bytes(used)} of ${bytes(budget.max)} sent ${name}`);
    meter.value = used / budget.max;
    say(left, `${bytes(budget.left)} left, begins anew ${moment(budget.renewsAtMs)}`);
  };
  return node;
}

/** By reason: what is told of a target to which nothing is sent. */
const held = {
  window: ({ heldUntilMs }) => `Held back outside of its upload hours. ${opens("They begin", heldUntilMs)}`,
  budget: ({ heldUntilMs }) => `Held back: what may be sent is used up. ${opens("It begins anew", heldUntilMs)}`,
  "local-only": () => "Held back: privacy.localOnly keeps every picture on this device.",
  paused: ({ heldUntilMs }) => `Held back: paused ${heldUntilMs ? `until ${moment(heldUntilMs)}` : "until resumed"}.`,
  disabled: () => "Held back: disabled in the configuration.",
  limit: () => "Waits: the limit of bytes a second is used up for the moment.",
  backoff: ({ heldBecause, heldUntilMs }) => `Waits. ${heldBecause} ${opens("Tried again", heldUntilMs)}`,
};

function opens(what, atMs) {
  return atMs === undefined ? "" : `${what} ${moment(atMs)}.`;
}

function make({ id, kind }) {
  const state = element("span", { class: "pill" });
  const facts = element("p", { class: "hint" });
  const why = element("p", { class: "held", hidden: "" });
  const problem = element("p", { class: "problem", hidden: "" });
  const earlier = element("p", { class: "hint", hidden: "" });
  let target;
  const press = (text, command, what) => {
    const node = button(text, () => act(node, `${what} (${id})`, () => ask(command(), { target: id }).then(said)), {
      "aria-label": `${text} ${id}`,
    });
    return node;
  };
  const pause = press(
    "Pause",
    () => (target.state === "paused" ? "upload.resume" : "upload.pause"),
    "Pausing or resuming",
  );
  const enable = press("Disable", () => (target.state === "disabled" ? "target.enable" : "target.disable"), "Changing");
  const test = press("Test", () => "target.test", "Testing");
  const node = element(
    "li",
    { class: "block" },
    element("div", { class: "heading" }, element("strong", {}, id), element("span", { class: "hint" }, kind), state),
    facts,
    why,
    problem,
    earlier,
    element("div", { class: "actions" }, test, pause, enable),
  );
  node.update = (now) => {
    target = now;
    say(state, stateText(now));
    state.dataset.state = stateKind(now);
    say(facts, factsText(now));
    const reason = held[now.held]?.(now) ?? "";
    say(why, reason.trim());
    show(why, reason !== "");
    const text = now.state === "away" && now.message !== undefined ? `${now.message} (${now.error})` : "";
    say(problem, text === "" || !now.needsPerson ? text : `A person has to mend this: ${text}`);
    show(problem, text !== "");
    const past =
      text === "" && now.error !== undefined ? `Last error, ${ago(now.errorAtMs)}: ${now.message} (${now.error})` : "";
    say(earlier, past);
    show(earlier, past !== "");
    name(pause, now.state === "paused" ? "Resume" : "Pause", id);
    name(enable, now.state === "disabled" ? "Enable" : "Disable", id);
    show(pause, now.state !== "disabled");
  };
  return node;
}

function said({ tookMs }) {
  return tookMs === undefined ? undefined : `It answers, in ${tookMs} ms`;
}

function name(node, text, id) {
  say(node, text);
  node.setAttribute("aria-label", `${text} ${id}`);
}

function stateText({ state, retryAtMs, resumesAtMs }) {
  if (state === "away" && retryAtMs !== undefined) return `away, next try in ${span(retryAtMs - serverNow())}`;
  if (state === "paused" && resumesAtMs !== undefined) return `paused for ${span(resumesAtMs - serverNow())}`;
  return words[state] ?? state;
}

const words = { window: "waits for its hours", budget: "budget used up", "local-only": "local only" };

function stateKind({ state }) {
  return { up: "good", away: "bad", window: "warn", budget: "warn" }[state] ?? "plain";
}

function factsText({ accepted, pending, quarantined, lastAcceptedAtMs }) {
  const last = lastAcceptedAtMs === undefined ? "" : `, last ${ago(lastAcceptedAtMs)}`;
  const aside = quarantined === 0 ? "" : ` · ${quarantined.toLocaleString("en")} set aside`;
  return `${accepted.toLocaleString("en")} accepted${last} · ${pending.toLocaleString("en")} waiting${aside}`;
}
