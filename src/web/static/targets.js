import { act, ask } from "./commands.js";
import { byId, button, element, list, say, show } from "./dom.js";
import { ago, serverNow, span } from "./text.js";

/** Where records are sent to, and how that stands. */

export function showTargets(targets) {
  show(byId("targets-empty"), targets.length === 0);
  list(byId("targets"), targets, ({ id }) => id, make);
}

function make({ id, kind }) {
  const state = element("span", { class: "pill" });
  const facts = element("p", { class: "hint" });
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
    problem,
    earlier,
    element("div", { class: "actions" }, test, pause, enable),
  );
  node.update = (now) => {
    target = now;
    say(state, stateText(now));
    state.dataset.state = stateKind(now);
    say(facts, factsText(now));
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

function stateText({ state, retryAtMs, resumesAtMs, opensAtMs }) {
  const held = heldBack[state];
  if (held !== undefined) return opensAtMs === undefined ? held : `${held}, for ${span(opensAtMs - serverNow())}`;
  if (state === "away" && retryAtMs !== undefined) return `away, next try in ${span(retryAtMs - serverNow())}`;
  if (state === "paused" && resumesAtMs !== undefined) return `paused for ${span(resumesAtMs - serverNow())}`;
  return state;
}

const heldBack = {
  window: "outside its hours",
  budget: "budget used up",
  "local-only": "nothing leaves this device",
};

function stateKind({ state }) {
  return state === "up" ? "good" : state === "away" ? "bad" : "plain";
}

function factsText({ accepted, pending, quarantined, lastAcceptedAtMs }) {
  const last = lastAcceptedAtMs === undefined ? "" : `, last ${ago(lastAcceptedAtMs)}`;
  const aside = quarantined === 0 ? "" : ` · ${quarantined.toLocaleString("en")} set aside`;
  return `${accepted.toLocaleString("en")} accepted${last} · ${pending.toLocaleString("en")} waiting${aside}`;
}
