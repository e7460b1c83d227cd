import { mkdir, open, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { xmlEscaped } from "../xml.ts";
import { stemOf, type DatasetFormat, type Example, type ExampleBox } from "./formats.ts";

/** Pascal VOC: `JPEGImages/`, `Annotations/` with one XML file each, and the list `ImageSets/Main/train.txt`. */
export class VocFormat implements DatasetFormat {
  readonly imagesFolder = "JPEGImages";
  #to = "";
  #list: FileHandle | undefined;

  async start(to: string): Promise<void> {
    this.#to = to;
    await mkdir(join(to, "Annotations"), { recursive: true });
    await mkdir(join(to, "ImageSets", "Main"), { recursive: true });
    this.#list = await open(join(to, "ImageSets", "Main", "train.txt"), "w");
  }

  async add(example: Example): Promise<void> {
    const stem = stemOf(example.image.name);
    await writeFile(join(this.#to, "Annotations", `${stem}.xml`), annotationXml(example));
    await this.#list?.write(`${stem}\n`);
  }

  async finish(): Promise<void> {
    await this.abandon();
  }

  async abandon(): Promise<void> {
    await this.#list?.close();
    this.#list = undefined;
  }
}

function annotationXml({ image, boxes }: Example): string {
  return [
    "<annotation>",
    "  <folder>JPEGImages</folder>",
    `  <filename>${xmlEscaped(image.name)}</filename>`,
    ...(image.maskVersion === undefined ? [] : [sourceXml(image.maskVersion)]),
    `  <size><width>${image.width}</width><height>${image.height}</height><depth>3</depth></size>`,
    "  <segmented>0</segmented>",
    ...boxes.map(objectXml),
    "</annotation>",
    "",
  ].join("\n");
}

/** Where an image comes from, and here what was hidden in it; a reader passes over what it does not know. */
function sourceXml(maskVersion: string): string {
  const mask = `<mask_version>${xmlEscaped(maskVersion)}</mask_version>`;
  return `  <source><database>Framepost</database>${mask}</source>`;
}

/** Less than this is what fractions of an image leave behind, and touches no pixel. */
const touchPixels = 0.01;

function objectXml({ label, box }: ExampleBox): string {
  // Whole pixels that the box touches, counted from 1 as the original data set does.
  const xmin = Math.floor(box.left + touchPixels) + 1;
  const ymin = Math.floor(box.top + touchPixels) + 1;
  const xmax = Math.max(xmin, Math.ceil(box.left + box.width - touchPixels));
  const ymax = Math.max(ymin, Math.ceil(box.top + box.height - touchPixels));
  const corners = `<xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax>`;
  const flags = "<pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>";
  return `  <object><name>${xmlEscaped(label)}</name>${flags}<bndbox>${corners}</bndbox></object>`;
}
