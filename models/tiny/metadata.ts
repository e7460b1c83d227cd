import { labels } from "./rectangles.ts";

export const plainMetadata: Readonly<Record<string, string>> = {
  description: "Finds red, green and blue rectangles; for the demo and the tests of Framepost only",
  author: "Framepost",
  license: "Apache-2.0",
};

/** In the form that Ultralytics writes, so that a tiny model is recognised the way a real one is. */
export function ultralyticsMetadata(
  width: number,
  height: number,
  task: "detect" | "segment" = "detect",
): Readonly<Record<string, string>> {
  return {
    ...plainMetadata,
    task,
    stride: "32",
    batch: "1",
    imgsz: `[${height}, ${width}]`,
    names: `{${labels.map((label, index) => `${index}: '${label}'`).join(", ")}}`,
  };
}
