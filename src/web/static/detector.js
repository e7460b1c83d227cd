import { setLabels } from "./boxes.js";
import { previewThreshold } from "./cameras.js";
import { act, ask } from "./commands.js";
import { byId, button, element, list, say, show } from "./dom.js";
import { bytes } from "./text.js";

/** The threshold, and the models. */

const slider = byId("threshold");
let inForce;
let isMoved = false;
let shownModel;

export function showDetector({ threshold, labels = [] }) {
  setLabels(labels);
  inForce = threshold;
  slider.disabled = threshold === undefined;
  if (!isMoved && threshold !== undefined) slider.value = threshold;
  sayThreshold();
}

function sayThreshold() {
  const text = inForce === undefined ? "–" : Number(slider.value).toFixed(2);
  say(byId("threshold-value"), text);
  slider.setAttribute("aria-valuetext", text);
}

slider.addEventListener("input", () => {
  isMoved = true;
  previewThreshold(Number(slider.value));
  sayThreshold();
});

slider.addEventListener("change", async () => {
  const threshold = Number(slider.value);
  await act(slider, `Threshold ${threshold.toFixed(2)}`, async () => {
    await ask("detect.set", { threshold });
  });
  // Moved again meanwhile: that change follows.
  if (Number(slider.value) !== threshold) {
    slider.dispatchEvent(new Event("change"));
    return;
  }
  isMoved = false;
  previewThreshold(undefined);
  if (inForce !== undefined) slider.value = inForce;
  sayThreshold();
});

export function showModel(model) {
  const { state, inUse, detectMs, probation, lastRollback, error, message } = model;
  const speed = detectMs === undefined ? "" : ` · ${detectMs} ms a frame`;
  const trial = probation === undefined ? "" : ` · on probation`;
  say(byId("model-facts"), inUse === undefined ? `No model (${state})` : `${inUse}${speed}${trial}`);
  const isAway = state === "backoff" || inUse === undefined;
  const problem = isAway && error !== undefined ? `${message} (${error})` : (lastRollback ?? "");
  say(byId("model-error"), problem);
  show(byId("model-error"), problem !== "");
  if (shownModel !== `${inUse} ${probation}`) void showModels();
  shownModel = `${inUse} ${probation}`;
}

async function showModels() {
  const data = await ask("model.list", {}, { hasEffect: false }).catch(() => undefined);
  if (data === undefined) return;
  const { models, pinnedTo, inUse } = data;
  list(
    byId("models"),
    models.map((model) => ({ ...model, pinnedTo })),
    ({ model }) => model,
    modelRow,
  );
  const none = models.length === 0 ? `${inUse ?? "None"} ships with Framepost. No other is installed.` : "";
  say(
    byId("models-note"),
    pinnedTo === undefined ? none : `The config names the model ${pinnedTo}: it is changed there.`,
  );
  show(byId("rollback"), pinnedTo === undefined && models.length > 0);
}

function modelRow({ model }) {
  const facts = element("span", { class: "hint" });
  const use = button("Use", () => change(use, `Changing to ${model}`, "model.select", { model }), {
    "aria-label": `Use the model ${model}`,
  });
  const node = element("li", { class: "row" }, element("strong", {}, model), facts, use);
  node.update = ({ bytes: size, state, pinnedTo }) => {
    say(facts, state === undefined ? bytes(size) : `${bytes(size)} · ${stateWords[state] ?? state}`);
    show(use, state !== "current" && pinnedTo === undefined);
  };
  return node;
}

const stateWords = { current: "in use", previous: "the one before" };

async function change(node, what, command, args) {
  await act(node, what, async () => {
    const { to, runMs } = await ask(command, args);
    return `In use now: ${to}${runMs === undefined ? "" : ` (${runMs.toFixed(1)} ms a frame)`}`;
  });
  await showModels();
}

byId("rollback").addEventListener("click", ({ currentTarget }) =>
  change(currentTarget, "Going back to the model before", "model.rollback", {}),
);
