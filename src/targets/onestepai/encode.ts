import { sentDetections } from "../../core/detections.ts";
import type { Detection, StoredRecord } from "../../core/types.ts";
import { xmlEscaped } from "../xml.ts";

export interface OnestepaiEncoding {
  /** Stricter than the model's threshold where it is higher. */
  readonly minScore: number;
  /** A record without detections: an annotation that says so, or none at all. */
  readonly emptyAsVoc: boolean;
}

/**
 * The Pascal VOC of a record, in the shape and order that OneStepAI's page on annotations shows; undefined where it is to
 * have none. A record that the detector never saw says nothing about what is in it, so it never has one.
 */
export function onestepaiAnnotation(record: StoredRecord, encoding: OnestepaiEncoding): string | undefined {
  const { name, imageWidth, imageHeight, labelled } = record;
  const detections = sentDetections(record, encoding.minScore);
  if (detections.length === 0 && !(encoding.emptyAsVoc && labelled)) return undefined;
  return [
    "<annotation>",
    `  <filename>${xmlEscaped(name)}</filename>`,
    `  <path>${xmlEscaped(name)}</path>`,
    "  <source></source>",
    "  <size>",
    `    <width>${imageWidth}</width>`,
    `    <height>${imageHeight}</height>`,
    "    <depth>3</depth>",
    "  </size>",
    "  <segmented>0</segmented>",
    ...detections.flatMap((detection) => objectXml(detection, imageWidth, imageHeight)),
    "</annotation>",
    "",
  ].join("\n");
}

function objectXml({ label, box }: Detection, imageWidth: number, imageHeight: number): readonly string[] {
  const [xmin, xmax] = wholePixels(box.left, box.left + box.width, imageWidth);
  const [ymin, ymax] = wholePixels(box.top, box.top + box.height, imageHeight);
  return [
    "  <object>",
    `    <name>${xmlEscaped(label)}</name>`,
    "    <pose>Unspecified</pose>",
    "    <truncated>0</truncated>",
    "    <difficult>0</difficult>",
    "    <occluded>0</occluded>",
    "    <bndbox>",
    `      <xmin>${xmin}</xmin>`,
    `      <xmax>${xmax}</xmax>`,
    `      <ymin>${ymin}</ymin>`,
    `      <ymax>${ymax}</ymax>`,
    "    </bndbox>",
    "  </object>",
  ];
}

/** Counted from 0, outwards by less than one, inside the image, and never empty. */
function wholePixels(from: number, to: number, side: number): readonly [number, number] {
  const first = Math.min(Math.max(0, Math.floor(from)), side - 1);
  return [first, Math.max(first + 1, Math.min(side, Math.ceil(to)))];
}
