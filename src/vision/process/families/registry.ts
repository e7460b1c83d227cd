import { detr } from "./detr.ts";
import { endToEnd } from "./end-to-end.ts";
import type { Family } from "./family.ts";
import { ssd } from "./ssd.ts";
import { tfSsd } from "./tf-ssd.ts";
import { yolo8 } from "./yolo8.ts";

/** Every family this version reads. A new one is a file and a line here. */
export const families: readonly Family[] = [yolo8, endToEnd, ssd, tfSsd, detr];
