import { startCameras, showCameras, showFrame, setConnected } from "./cameras.js";
import { showCharts } from "./charts.js";
import { showConfigOf } from "./config.js";
import { showDetector, showModel } from "./detector.js";
import { byId, element, list, say, show } from "./dom.js";
import { addLines } from "./log.js";
import { showQueue, showWaitingOf } from "./queue.js";
import { forgetSightings, showSighting } from "./sightings.js";
import { showTargets, showUpload } from "./targets.js";
import { bytes, plural, serverNow, setServerTime, span } from "./text.js";

/** Listens to the device and hands each part of what it tells to whoever shows it. */

const reconnectFirstMs = 500;
const reconnectMaxMs = 8_000;

const shown = {
  device: showDevice,
  cameras: ({ cameras }) => showCameras(cameras),
  frame: showFrame,
  counters: (counters) => ((latest.counters = counters), showFacts()),
  targets: ({ targets }) => (showTargets(targets), showWaitingOf(targets)),
  upload: showUpload,
  queue: showQueue,
  model: showModel,
  detector: showDetector,
  sighting: showSighting,
  charts: showCharts,
  log: ({ lines }) => addLines(lines),
  tick: ({ nowMs }) => (setServerTime(nowMs), showFacts()),
};

const latest = { device: undefined, counters: undefined };
let source;
let waiting;
let pauseMs = reconnectFirstMs;

function connect() {
  clearTimeout(waiting);
  source?.close();
  source = new EventSource("/api/events");
  for (const [event, use] of Object.entries(shown)) {
    source.addEventListener(event, ({ data }) => {
      use(JSON.parse(data));
      if (event === "tick") connected();
    });
  }
  source.addEventListener("error", () => {
    source.close();
    showState("lost");
    waiting = setTimeout(connect, pauseMs);
    pauseMs = Math.min(2 * pauseMs, reconnectMaxMs);
    void loginIfNeeded();
  });
}

/** The stream does not say why it ended. */
async function loginIfNeeded() {
  const answer = await fetch("/api/commands/camera.list", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  }).catch(() => undefined);
  if (answer?.status === 401) location.assign("/login");
}

function connected() {
  pauseMs = reconnectFirstMs;
  showState(latest.device?.state ?? "ok");
}

const words = { ok: "all well", degraded: "needs attention", lost: "connection lost, trying again" };

function showState(state) {
  const pill = byId("state");
  say(pill, words[state] ?? state);
  pill.dataset.state = state;
  setConnected(state !== "lost");
}

function showDevice(device) {
  if (latest.device !== undefined && Math.abs(latest.device.startedAtMs - device.startedAtMs) > 5_000)
    forgetSightings();
  latest.device = device;
  say(byId("device"), device.name);
  document.title = device.troubles.length === 0 ? `${device.name} · Framepost` : `(!) ${device.name} · Framepost`;
  show(byId("troubles"), device.troubles.length > 0);
  list(
    byId("trouble-list"),
    device.troubles.map((text) => ({ text })),
    ({ text }) => text,
    ({ text }) => element("li", {}, text),
  );
  showConfigOf(device.revision);
  showFacts();
}

function showFacts() {
  const { device, counters } = latest;
  if (device === undefined || counters === undefined) return;
  const up = span(serverNow() - device.startedAtMs);
  say(
    byId("facts"),
    `${plural(counters.frames, "frame")} · ${plural(counters.stored, "record")} kept · up ${up} · ${bytes(counters.rssBytes)} · version ${device.version}`,
  );
}

/** A page that nobody sees costs the device nothing. */
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(waiting);
    source?.close();
  } else connect();
});

startCameras();
connect();
