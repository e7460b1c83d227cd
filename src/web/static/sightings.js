import { drawBoxes, shownIn } from "./boxes.js";
import { byId, drawn, element, list, say, show } from "./dom.js";
import { ago, tallied } from "./text.js";

/** The latest frames with detections, small. */

const sightingsMax = 24;
let sightings = [];

export function showSighting(sighting) {
  const others = sightings.filter(({ id }) => id !== sighting.id);
  sightings = [sighting, ...others].sort((a, b) => b.id - a.id).slice(0, sightingsMax);
  show(byId("sightings-empty"), false);
  list(byId("sightings"), sightings, ({ id }) => id, make);
}

/** The device counts from 1 again. */
export function forgetSightings() {
  sightings = [];
}

function make(sighting) {
  const { id, camera, width, height, hasPicture } = sighting;
  const detections = shownIn(sighting);
  const what = tallied(detections.map(({ label }) => label));
  const boxes = drawn("svg", { class: "boxes small", "aria-hidden": "true" });
  drawBoxes(boxes, sighting, detections, width / 160);
  for (const name of boxes.querySelectorAll(".name, .tag")) name.remove();
  const alt = `${camera}: ${what}`;
  const picture = hasPicture
    ? element("img", { src: `/api/thumbnails/${id}`, alt, width, height, loading: "lazy", decoding: "async" })
    : element("span", { class: "placeholder" }, "picture gone");
  const when = element("span", { class: "age" });
  const node = element(
    "li",
    {},
    element("div", { class: "picture" }, picture, boxes),
    element("p", {}, element("strong", {}, what), " ", element("span", { class: "hint" }, camera, " · "), when),
  );
  const age = () => say(when, ago(sighting.atMs));
  node.update = age;
  ages.set(node, age);
  age();
  return node;
}

const ages = new Map();

setInterval(() => {
  for (const [node, age] of ages) {
    if (node.isConnected) age();
    else ages.delete(node);
  }
}, 5_000);
