import { deflateRawSync } from "node:zlib";
import type { SandboxAnswer } from "../http-sandbox.ts";
import type { AnnotationSet, RemoWorld, StoredPicture } from "./world.ts";
import type { AnnotationRow } from "./csv.ts";

export interface ExportWish {
  readonly format: "json" | "coco" | "csv";
  readonly coordinates: "pixel" | "percent";
  readonly fullPath: boolean;
  readonly zip: boolean;
}

type Annotated = readonly [StoredPicture, readonly AnnotationRow[]];

/** The annotations of a set as the server writes them: images without any are left out. */
export function exported(world: RemoWorld, set: AnnotationSet, wish: ExportWish): SandboxAnswer {
  const annotated = [...set.annotations].flatMap(([pictureId, rows]): readonly Annotated[] => {
    const picture = world.pictures.get(pictureId);
    return picture === undefined ? [] : [[picture, rows]];
  });
  const text = { json: asJson, coco: asCoco, csv: asCsv }[wish.format](world, set, annotated, wish);
  const type = wish.format === "csv" ? "text/csv" : "application/json";
  if (!wish.zip) return { status: 200, headers: { "Content-Type": type }, body: Buffer.from(text) };
  const extension = wish.format === "csv" ? "csv" : "json";
  const zip = zipOf([
    { name: "tags.csv", bytes: Buffer.from(`file_name,tag\r\n${tagLines(world, set)}`) },
    { name: `${set.name}.${extension}`, bytes: Buffer.from(text) },
  ]);
  return { status: 200, headers: { "Content-Type": "application/zip" }, body: zip };
}

function asJson(world: RemoWorld, set: AnnotationSet, annotated: readonly Annotated[], wish: ExportWish): string {
  const entries = annotated.map(([picture, rows]) => {
    const points = rows.map((row) => ({ classes: row.classes, points: scaled(row, picture, wish) }));
    const content = {
      "Object detection": () => ({
        annotations: points.map(({ classes, points: [from, to] }) => ({
          classes,
          bbox: { xmin: from?.x, ymin: from?.y, xmax: to?.x, ymax: to?.y },
        })),
      }),
      "Instance segmentation": () => ({
        annotations: points.map(({ classes, points: segments }) => ({ classes, segments })),
      }),
      "Image classification": () => ({ classes: [...new Set(rows.flatMap(({ classes }) => classes))] }),
    }[set.task]();
    const tags = set.tags.filter(({ imageId }) => imageId === picture.id).map(({ tagId }) => world.tags.get(tagId));
    return {
      file_name: nameOf(picture, wish),
      height: picture.height,
      width: picture.width,
      tags,
      task: set.task,
      ...content,
    };
  });
  return JSON.stringify(entries);
}

function asCoco(world: RemoWorld, set: AnnotationSet, annotated: readonly Annotated[], wish: ExportWish): string {
  const categories = [...set.classIds].map((id) => ({ id, name: world.classes.get(id), supercategory: "" }));
  const images = annotated.map(([picture]) => ({
    id: picture.id,
    file_name: nameOf(picture, wish),
    width: picture.width,
    height: picture.height,
  }));
  const annotations = annotated.flatMap(([picture, rows]) =>
    rows.map((row) => {
      const points = scaled(row, picture, wish);
      const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
      const [left, top] = [Math.min(...xs), Math.min(...ys)];
      const [width, height] = [Math.max(...xs) - left, Math.max(...ys) - top];
      const [name = ""] = row.classes;
      return { image_id: picture.id, category_id: world.classId(name), bbox: [left, top, width, height], iscrowd: 0 };
    }),
  );
  return JSON.stringify({ images, categories, annotations: annotations.map((each, at) => ({ id: at + 1, ...each })) });
}

function asCsv(_: RemoWorld, set: AnnotationSet, annotated: readonly Annotated[], wish: ExportWish): string {
  const header = {
    "Object detection": "file_name,classes,xmin,ymin,xmax,ymax",
    "Instance segmentation": "file_name,classes,coordinates",
    "Image classification": "file_name,classes",
  }[set.task];
  const lines = annotated.flatMap(([picture, rows]) =>
    rows.map((row) => {
      const numbers = scaled(row, picture, wish).flatMap(({ x, y }) => [x, y]);
      const cells = [nameOf(picture, wish), row.classes.join("; ")];
      if (set.task === "Object detection") cells.push(...numbers.map(String));
      if (set.task === "Instance segmentation") cells.push(numbers.join("; "));
      return cells.map((cell) => (/[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
    }),
  );
  return [header, ...lines, ""].join("\r\n");
}

/** `percent` means fractions of the image. */
function scaled({ points }: AnnotationRow, picture: StoredPicture, wish: ExportWish): AnnotationRow["points"] {
  if (wish.coordinates === "pixel") return points;
  return points.map(({ x, y }) => ({ x: x / picture.width, y: y / picture.height }));
}

function nameOf({ name }: StoredPicture, { fullPath }: ExportWish): string {
  return fullPath ? `/home/remo/media/${name}` : name;
}

function tagLines(world: RemoWorld, set: AnnotationSet): string {
  const line = (tagId: number, imageId: number): string =>
    `${world.pictures.get(imageId)?.name ?? ""},${world.tags.get(tagId) ?? ""}\r\n`;
  return set.tags.map(({ tagId, imageId }) => line(tagId, imageId)).join("");
}

/** A zip as small as one can be: one entry a file, deflated. */
function zipOf(files: readonly { readonly name: string; readonly bytes: Buffer }[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const packed = deflateRawSync(bytes);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(8, 4);
    shared.writeUInt32LE(crc32(bytes), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(bytes.length, 18);
    shared.writeUInt16LE(Buffer.byteLength(name), 22);
    const entry = Buffer.alloc(14);
    entry.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), shared, Buffer.from(name), packed]);
    central.push(Buffer.concat([Buffer.from("PK\u0001\u0002\u0014\u0000"), shared, entry, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from("PK\u0005\u0006"), end]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
