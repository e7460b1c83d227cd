import { detr } from "./detr.ts";
import { endToEnd } from "./end-to-end.ts";
import type { Family } from "./family.ts";
import { fastestdet } from "./fastestdet.ts";
import { nanodet } from "./nanodet.ts";
import { scrfd } from "./scrfd.ts";
import { ssd } from "./ssd.ts";
import { tfSsd } from "./tf-ssd.ts";
import { yoloFastestV2 } from "./yolo-fastestv2.ts";
import { yolo5Raw } from "./yolo5-raw.ts";
import { yolo5, yolo5Relative } from "./yolo5.ts";
import { yolo8Seg } from "./yolo8-seg.ts";
import { yolo8 } from "./yolo8.ts";
import { yolox, yoloxDecoded } from "./yolox.ts";
import { yunet } from "./yunet.ts";

/** Every family this version reads. A new one is a file and a line here. */
export const families: readonly Family[] = [
  yolo8,
  yolo8Seg,
  endToEnd,
  yolo5,
  yolo5Relative,
  yolo5Raw,
  yolox,
  yoloxDecoded,
  yoloFastestV2,
  nanodet,
  fastestdet,
  yunet,
  scrfd,
  ssd,
  tfSsd,
  detr,
];
