import { violated, type LabelledBox } from "../checks.ts";
import { childOf, childrenOf, parseXml, type XmlElement } from "./xml.ts";

/** Pascal VOC as the platform's documentation shows it. */
export interface VocAnnotation {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly LabelledBox[];
}

export function parseVoc(bytes: Buffer): VocAnnotation {
  const root = parseXml(utf8(bytes));
  if (root.name !== "annotation") violated(`the annotation's root is <${root.name}>`);
  const size = childOf(root, "size");
  const [width, height] = [wholeNumber(size, "width"), wholeNumber(size, "height")];
  return { width, height, boxes: childrenOf(root, "object").map((object) => boxOf(object, width, height)) };
}

function boxOf(object: XmlElement, width: number, height: number): LabelledBox {
  const label = childOf(object, "name").text;
  if (label === "") violated("an object has no name");
  const bounds = childOf(object, "bndbox");
  const [xmin, xmax] = [wholeNumber(bounds, "xmin"), wholeNumber(bounds, "xmax")];
  const [ymin, ymax] = [wholeNumber(bounds, "ymin"), wholeNumber(bounds, "ymax")];
  if (xmin >= xmax || ymin >= ymax) violated(`the box of "${label}" is empty`);
  if (xmax > width || ymax > height) violated(`the box of "${label}" reaches out of the image`);
  return { label, box: { left: xmin, top: ymin, width: xmax - xmin, height: ymax - ymin } };
}

function wholeNumber(parent: XmlElement, name: string): number {
  const { text } = childOf(parent, name);
  return /^\d{1,6}$/.test(text) ? Number(text) : violated(`<${name}> is "${text}", no whole number of pixels`);
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return violated("the annotation is not UTF-8");
  }
}
