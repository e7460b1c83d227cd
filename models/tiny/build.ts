import { createHash } from "node:crypto";
import { endToEndModel } from "./end-to-end.ts";
import { fastestdetModel } from "./fastestdet.ts";
import { nanodetModel } from "./nanodet.ts";
import { scrfdModel } from "./scrfd.ts";
import { ssdModel } from "./ssd.ts";
import { yoloFastestV2Model } from "./yolo-fastestv2.ts";
import { yolo8Model } from "./yolo8.ts";
import { yunetModel } from "./yunet.ts";

interface BuiltFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Every file that is made by program in this folder: the models and their checksums. */
export function buildTinyModels(): readonly BuiltFile[] {
  const models: readonly BuiltFile[] = [
    { name: "tiny-end-to-end.onnx", bytes: endToEndModel() },
    { name: "tiny-fastestdet.onnx", bytes: fastestdetModel() },
    { name: "tiny-nanodet.onnx", bytes: nanodetModel() },
    { name: "tiny-scrfd.onnx", bytes: scrfdModel() },
    { name: "tiny-ssd.onnx", bytes: ssdModel() },
    { name: "tiny-yolo-fastestv2.onnx", bytes: yoloFastestV2Model() },
    { name: "tiny-yolo8.onnx", bytes: yolo8Model() },
    { name: "tiny-yunet.onnx", bytes: yunetModel() },
  ];
  const sums = models.map(({ name, bytes }) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
  return [...models, { name: "SHA256SUMS", bytes: Buffer.from(sums.join("")) }];
}
