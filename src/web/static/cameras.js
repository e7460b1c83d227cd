import { drawBoxes, shownIn } from "./boxes.js";
import { act, ask } from "./commands.js";
import { byId, button, drawn, element, list, say, show } from "./dom.js";
import { ago, plural, span, serverNow, tallied } from "./text.js";

/** A card for each camera: its newest picture with the boxes of that very frame. */

const cards = new Map();
let preview;
let isConnected = true;

export function startCameras() {
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) cards.get(target.dataset.camera)?.draw();
  });
  observe = (figure) => resized.observe(figure);
  setInterval(() => cards.forEach((card) => card.age()), 1_000);
}

let observe = () => {};

export function showCameras(cameras) {
  const container = byId("cameras");
  list(
    container,
    cameras,
    ({ id }) => id,
    ({ id }) => {
      const card = new CameraCard(id);
      cards.set(id, card);
      card.node.update = (camera) => card.state(camera);
      return card.node;
    },
  );
  for (const id of cards.keys()) if (!cameras.some((camera) => camera.id === id)) cards.delete(id);
  container.dataset.count = cameras.length;
  for (const frame of early.splice(0)) cards.get(frame.camera)?.next(frame);
}

const early = [];

export function showFrame(frame) {
  const card = cards.get(frame.camera);
  if (card === undefined) early.push(frame);
  else card.next(frame);
}

/** What another threshold would show; undefined: the one in force. */
export function previewThreshold(threshold) {
  preview = threshold;
  cards.forEach((card) => card.draw());
}

export function setConnected(connected) {
  if (isConnected === connected) return;
  isConnected = connected;
  document.body.classList.toggle("lost", !connected);
}

class CameraCard {
  #id;
  #camera;
  #frame;
  #next;
  #isLoading = false;
  #picture = element("img", { alt: "", hidden: "" });
  #boxes = drawn("svg", { class: "boxes", "aria-hidden": "true" });
  #placeholder = element("p", { class: "placeholder" }, "No picture yet");
  #figure;
  #state = element("span", { class: "pill" });
  #age = element("span", { class: "age" });
  #seen = element("p", { class: "seen" });
  #problem = element("p", { class: "problem", hidden: "" });
  #pause;
  #reopen;
  #keep;

  constructor(id) {
    this.#id = id;
    this.#figure = element(
      "div",
      { class: "picture", "data-camera": id },
      this.#picture,
      this.#boxes,
      this.#placeholder,
    );
    this.#keep = button("Keep a picture", () => this.#run("snapshot", this.#keep, "Keeping a picture", kept));
    this.#pause = button("Pause", () => this.#togglePause());
    this.#reopen = button("Open again", () => this.#run("camera.reopen", this.#reopen, "Opening it again"));
    const name = element("h3", {}, id);
    this.node = element(
      "article",
      { class: "card camera", "aria-label": `Camera ${id}` },
      element("div", { class: "heading" }, name, this.#state, this.#age),
      this.#figure,
      this.#seen,
      this.#problem,
      element("div", { class: "actions" }, this.#keep, this.#pause, this.#reopen),
    );
    observe(this.#figure);
  }

  state(camera) {
    this.#camera = camera;
    const { state, image, message, error, opensAtMs, resumesAtMs } = camera;
    const isOff = state === "stalled" || state === "backoff" || state === "blocked";
    say(this.#state, stateText(camera));
    this.#state.dataset.state = isOff ? "bad" : state === "running" ? (badImage(image) ? "warn" : "good") : "plain";
    const problem = isOff ? `${message ?? "It gives no picture."}${error === undefined ? "" : ` (${error})`}` : "";
    say(this.#problem, problem);
    show(this.#problem, problem !== "");
    say(this.#pause, state === "paused" ? "Resume" : "Pause");
    this.#pause.setAttribute("aria-label", `${state === "paused" ? "Resume" : "Pause"} camera ${this.#id}`);
    this.#keep.setAttribute("aria-label", `Keep a picture of camera ${this.#id}`);
    show(this.#keep, state === "running");
    show(this.#reopen, isOff);
    show(this.#pause, state !== "ended");
    this.#figure.classList.toggle("old", state !== "running");
    if (opensAtMs !== undefined) say(this.#placeholder, "Closed by its schedule");
    if (resumesAtMs !== undefined || state === "paused") say(this.#placeholder, "Paused");
    this.age();
  }

  next(frame) {
    this.#next = frame;
    if (!this.#isLoading) void this.#load();
  }

  /** One after the other: a slow link gets the newest each time, and never a queue of them. */
  async #load() {
    this.#isLoading = true;
    while (this.#next !== undefined && !document.hidden) {
      const frame = this.#next;
      this.#next = undefined;
      const picture = element("img", { src: `/api/frames/${frame.id}`, width: frame.width, height: frame.height });
      const isThere = await picture.decode().then(
        () => true,
        () => false,
      );
      // Gone already: the next frame comes within a second.
      if (isThere) this.#swap(frame, picture);
    }
    this.#isLoading = false;
  }

  /** Picture and boxes change in the same moment. */
  #swap(frame, picture) {
    this.#picture.replaceWith(picture);
    this.#picture = picture;
    this.#frame = frame;
    show(this.#placeholder, false);
    this.#figure.dataset.frame = frame.id;
    this.draw();
    this.age();
  }

  draw() {
    const frame = this.#frame;
    if (frame === undefined) return;
    const detections = shownIn(frame, preview);
    const { clientWidth, clientHeight } = this.#figure;
    const isLaidOut = clientWidth > 0 && clientHeight > 0;
    const scale = isLaidOut ? Math.max(frame.width / clientWidth, frame.height / clientHeight) : 1;
    drawBoxes(this.#boxes, frame, detections, scale);
    const what = detections.length === 0 ? "nothing detected" : tallied(detections.map(({ label }) => label));
    this.#picture.alt = `Newest picture of camera ${this.#id}: ${what}`;
    const kept = frame.rule === undefined ? "" : ` · kept (${frame.rule})`;
    const seen = frame.labelled ? sentence(what) : "The detector is away: not labelled";
    say(this.#seen, `${seen}${kept}`);
  }

  age() {
    const atMs = this.#frame?.atMs ?? this.#camera?.lastFrameAtMs;
    say(this.#age, atMs === undefined ? "" : ago(atMs));
  }

  #togglePause() {
    const isPaused = this.#camera?.state === "paused";
    void this.#run(isPaused ? "capture.resume" : "capture.pause", this.#pause, isPaused ? "Resuming" : "Pausing");
  }

  async #run(command, node, what, said) {
    await act(node, `${what} (${this.#id})`, async () => {
      const data = await ask(command, { camera: this.#id });
      return said?.(data);
    });
  }
}

function kept({ result, name }) {
  return result === "stored" ? `Kept as ${name}` : "Taken, but no target wants it";
}

function badImage(image) {
  return image !== undefined && image !== "good";
}

function stateText({ state, image, opensAtMs, resumesAtMs, framesCaptured }) {
  if (state === "running" && badImage(image)) return image;
  if (state === "running") return `live · ${plural(framesCaptured, "frame")}`;
  if (state === "stopped" && opensAtMs !== undefined) return `opens in ${span(opensAtMs - serverNow())}`;
  if (state === "paused" && resumesAtMs !== undefined) return `paused for ${span(resumesAtMs - serverNow())}`;
  return states[state] ?? state;
}

const states = { backoff: "away, tried again", blocked: "blocked by its mask", stalled: "gives no frames" };

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
