import { createHash } from "node:crypto";
import { detrModel } from "./detr.ts";
import { endToEndModel } from "./end-to-end.ts";
import { ssdModel } from "./ssd.ts";
import { tfSsdModel } from "./tf-ssd.ts";
import { yolo8Model } from "./yolo8.ts";

interface BuiltFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Every file that is made by program in this folder: the models and their checksums. */
export function buildTinyModels(): readonly BuiltFile[] {
  const models: readonly BuiltFile[] = [
    { name: "tiny-detr.onnx", bytes: detrModel() },
    { name: "tiny-end-to-end.onnx", bytes: endToEndModel() },
    { name: "tiny-ssd.onnx", bytes: ssdModel() },
    { name: "tiny-tf-ssd.onnx", bytes: tfSsdModel() },
    { name: "tiny-yolo8.onnx", bytes: yolo8Model() },
  ];
  const sums = models.map(({ name, bytes }) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
  return [...models, { name: "SHA256SUMS", bytes: Buffer.from(sums.join("")) }];
}
