import { drawn } from "./dom.js";

/** The detections of a frame over its picture, in the picture's own pixels. */

const textPixels = 12;
const coloursMax = 6;

/** What a threshold shows; those of single labels hold whatever the general one is. */
export function shownIn({ detections, threshold, thresholds = {} }, preview) {
  const general = preview ?? threshold ?? 0;
  return detections.filter(({ label, score }) => score >= (thresholds[label] ?? general));
}

/** `scale`: pixels of the picture for each of the screen. */
export function drawBoxes(svg, frame, detections, scale) {
  svg.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
  svg.replaceChildren(...detections.map((detection) => group(frame, detection, scale)));
}

function group({ width: pictureWidth }, { label, score, box: [x, y, width, height] }, scale) {
  const text = `${label} ${score.toFixed(2)}`;
  const size = textPixels * scale;
  const [tagWidth, tagHeight] = [(text.length * 0.58 + 0.8) * size, 1.45 * size];
  const above = y >= tagHeight;
  const [left, top] = [Math.max(0, Math.min(x, pictureWidth - tagWidth)), above ? y - tagHeight : y];
  return drawn(
    "g",
    { class: `c${colourOf(label)}` },
    drawn("rect", { class: "halo", x, y, width, height }),
    drawn("rect", { class: "box", x, y, width, height, "data-label": label, "data-score": score }),
    drawn("rect", { class: "tag", x: left, y: top, width: tagWidth, height: tagHeight }),
    drawn("text", { class: "name", x: left + 0.4 * size, y: top + 1.06 * size, "font-size": size }, text),
  );
}

let labelsOfModel = [];

/** In their order neighbours have different colours. */
export function setLabels(labels) {
  labelsOfModel = labels;
}

function colourOf(label) {
  const at = labelsOfModel.indexOf(label);
  if (at !== -1) return at % coloursMax;
  return Array.from(label).reduce((sum, letter) => sum + letter.codePointAt(0), 0) % coloursMax;
}
