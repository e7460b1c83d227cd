import { createHash } from "node:crypto";
import { detrModel } from "./detr.ts";
import { endToEndModel } from "./end-to-end.ts";
import { fastestdetModel } from "./fastestdet.ts";
import { nanodetModel } from "./nanodet.ts";
import { scrfdModel } from "./scrfd.ts";
import { ssdModel } from "./ssd.ts";
import { tfSsdModel } from "./tf-ssd.ts";
import { yoloFastestV2Model } from "./yolo-fastestv2.ts";
import { yolo5RawModel } from "./yolo5-raw.ts";
import { yolo5Model } from "./yolo5.ts";
import { yolo8SegModel } from "./yolo8-seg.ts";
import { yolo8Model } from "./yolo8.ts";
import { yoloxModel } from "./yolox.ts";
import { yunetModel } from "./yunet.ts";

interface BuiltFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Every file that is made by program in this folder: the models and their checksums. */
export function buildTinyModels(): readonly BuiltFile[] {
  const models: readonly BuiltFile[] = [
    { name: "tiny-detr.onnx", bytes: detrModel() },
    { name: "tiny-end-to-end.onnx", bytes: endToEndModel() },
    { name: "tiny-fastestdet.onnx", bytes: fastestdetModel() },
    { name: "tiny-nanodet.onnx", bytes: nanodetModel() },
    { name: "tiny-scrfd.onnx", bytes: scrfdModel() },
    { name: "tiny-ssd.onnx", bytes: ssdModel() },
    { name: "tiny-tf-ssd.onnx", bytes: tfSsdModel() },
    { name: "tiny-yolo-fastestv2.onnx", bytes: yoloFastestV2Model() },
    { name: "tiny-yolo5-raw.onnx", bytes: yolo5RawModel() },
    { name: "tiny-yolo5.onnx", bytes: yolo5Model() },
    { name: "tiny-yolo8-seg.onnx", bytes: yolo8SegModel() },
    { name: "tiny-yolo8.onnx", bytes: yolo8Model() },
    { name: "tiny-yolox.onnx", bytes: yoloxModel() },
    { name: "tiny-yunet.onnx", bytes: yunetModel() },
  ];
  const sums = models.map(({ name, bytes }) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
  return [...models, { name: "SHA256SUMS", bytes: Buffer.from(sums.join("")) }];
}
