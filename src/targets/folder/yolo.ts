import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Box } from "../../core/types.ts";
import { stemOf, type DatasetFormat, type Example } from "./formats.ts";

/** YOLO: `images/train/`, `labels/train/` with one text file each, and `data.yaml`. An empty text file is a negative. */
export class YoloFormat implements DatasetFormat {
  readonly imagesFolder = join("images", "train");
  #to = "";

  async start(to: string, classes: readonly string[]): Promise<void> {
    this.#to = to;
    await mkdir(join(to, "labels", "train"), { recursive: true });
    await writeFile(join(to, "data.yaml"), dataYaml(classes));
  }

  async add({ image, boxes }: Example): Promise<void> {
    const lines = boxes.map(({ classIndex, box }) => `${classIndex} ${fractions(box, image.width, image.height)}\n`);
    await writeFile(join(this.#to, "labels", "train", `${stemOf(image.name)}.txt`), lines.join(""));
  }

  async finish(): Promise<void> {}

  async abandon(): Promise<void> {}
}

/** JSON texts are YAML texts. Trainers insist on `val`; how to divide a data set is not ours to decide. */
function dataYaml(classes: readonly string[]): string {
  const names = classes.map((name, index) => `  ${index}: ${JSON.stringify(name)}\n`);
  return `path: .\ntrain: images/train\nval: images/train\nnames:${names.length === 0 ? " {}\n" : `\n${names.join("")}`}`;
}

/** Centre and size. Six decimals are a hundredth of a pixel of the largest image. */
function fractions({ left, top, width, height }: Box, imageWidth: number, imageHeight: number): string {
  return [(left + width / 2) / imageWidth, (top + height / 2) / imageHeight, width / imageWidth, height / imageHeight]
    .map((value) => value.toFixed(6))
    .join(" ");
}
