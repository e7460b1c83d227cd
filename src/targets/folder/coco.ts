import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { polygonArea } from "../../core/detections.ts";
import type { DatasetFormat, Example } from "./formats.ts";

/**
 * COCO: `images/` and `annotations/instances.json`. Its one JSON object holds all images before all annotations; the
 * latter wait in a file beside it, so that memory does not grow with the data set.
 */
export class CocoFormat implements DatasetFormat {
  readonly imagesFolder = "images";
  #path = "";
  #classes: readonly string[] = [];
  #instances: FileHandle | undefined;
  #annotations: FileHandle | undefined;
  #images = 0;
  #boxes = 0;

  async start(to: string, classes: readonly string[]): Promise<void> {
    await mkdir(join(to, "annotations"), { recursive: true });
    this.#path = join(to, "annotations", "instances.json");
    this.#classes = classes;
    this.#instances = await open(`${this.#path}.part`, "w");
    this.#annotations = await open(`${this.#path}.boxes`, "w");
    await this.#instances.write('{"info":{"description":"Framepost data set"},"licenses":[],"images":[');
  }

  async add({ imageId, image, boxes }: Example): Promise<void> {
    const { name, width, height, capturedAt, maskVersion } = image;
    const entry = {
      id: imageId,
      file_name: name,
      width,
      height,
      ...(capturedAt === undefined ? {} : { date_captured: capturedAt }),
      ...(maskVersion === undefined ? {} : { mask_version: maskVersion }),
    };
    await this.#instances?.write(`${this.#images === 0 ? "" : ","}\n${JSON.stringify(entry)}`);
    this.#images += 1;
    const lines = boxes.map(({ classIndex, score, box, polygon }) => {
      const { left, top, width: across, height: down } = box;
      const first = this.#boxes === 0;
      this.#boxes += 1;
      const annotation = {
        id: this.#boxes,
        image_id: imageId,
        category_id: classIndex + 1,
        bbox: [left, top, across, down],
        area: polygon === undefined ? across * down : Math.abs(polygonArea(polygon)),
        iscrowd: 0,
        segmentation: polygon === undefined ? [] : [polygon.flatMap(({ x, y }) => [x, y])],
        ...(score === undefined ? {} : { score }),
      };
      return `${first ? "" : ","}\n${JSON.stringify(annotation)}`;
    });
    if (lines.length > 0) await this.#annotations?.write(lines.join(""));
  }

  async finish(): Promise<void> {
    const categories = this.#classes.map((name, index) => ({ id: index + 1, name, supercategory: "" }));
    await this.#instances?.write('\n],"annotations":[');
    for await (const chunk of createReadStream(`${this.#path}.boxes`)) await this.#instances?.write(chunk as Buffer);
    await this.#instances?.write(`\n],"categories":${JSON.stringify(categories)}}\n`);
    await this.#instances?.sync();
    await this.abandon();
    await rename(`${this.#path}.part`, this.#path);
    await rm(`${this.#path}.boxes`, { force: true });
  }

  async abandon(): Promise<void> {
    await this.#instances?.close();
    await this.#annotations?.close();
    this.#instances = undefined;
    this.#annotations = undefined;
  }
}
