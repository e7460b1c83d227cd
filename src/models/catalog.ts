import { coco80, coco90 } from "./coco.ts";
import { modelFileName } from "./store.ts";

/**
 * Public models that can be had by name, with a licence that lets anybody use them. Each address names one commit, and
 * each file its SHA-256: whatever an address gives some day, only that very file is used. Sizes, checksums and licences
 * are those of the repositories at these commits (a Git LFS pointer holds both, a plain file was counted).
 *
 * Not here: what is under AGPL or GPL (Ultralytics, YOLOv5-Lite) or without a licence, which users bring themselves; and
 * what is no family that Framepost reads: tiny-yolov3 and ssd-12 of onnx/models, the MediaPipe detectors of persons and
 * palms, and lpd_yunet, whose boxes have four free corners.
 */

export interface CatalogModel {
  readonly name: string;
  readonly version: string;
  /** For a person: what it finds, how large its input is, what to know. */
  readonly about: string;
  readonly licence: string;
  /** Where a person reads about it. */
  readonly page: string;
  readonly url: string;
  readonly sha256: string;
  readonly bytes: number;
  /** `model.json`, as it is written beside the file. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

interface Entry {
  readonly name: string;
  readonly version: string;
  readonly about: string;
  readonly licence: string;
  readonly at: Repository;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** What the files of one family of models share. */
  readonly reading: Readonly<Record<string, unknown>>;
}

interface Repository {
  readonly name: string;
  readonly commit: string;
  /** Its ONNX files lie in Git LFS. */
  readonly large: boolean;
}

const opencvZoo: Repository = {
  name: "opencv/opencv_zoo",
  commit: "966be4cb6eefc2a4f586ed0581bf4bbaa2533070",
  large: true,
};
const onnxModels: Repository = { name: "onnx/models", commit: "b1eeaa1ac722dcc1cd1a8284bde34393dab61c3d", large: true };
const linzaer: Repository = {
  name: "Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB",
  commit: "dffdddda9794a50607cba8f318507a28c1c27cab",
  large: false,
};
const fastestDet: Repository = {
  name: "dog-qiuqiu/FastestDet",
  commit: "50473cd155cb088aa4a99e64ff6a4b3c24fa07e1",
  large: false,
};
const libfacedetection: Repository = {
  name: "ShiqiYu/libfacedetection.train",
  commit: "0047ac24afb1a50a0c6105001c89d1b5b805dbf1",
  large: false,
};

/** Thresholds are those of the projects' own demos, or where their scores begin to mean something. */
const nanodet = {
  family: "nanodet",
  input: {
    width: 416,
    height: 416,
    mean: [103.53, 116.28, 123.675],
    std: [57.375, 57.12, 58.395],
    order: "bgr",
    fit: "letterbox",
    pad: 0,
  },
  labels: coco80,
  threshold: 0.35,
};
/** The zoo's own demo feeds RGB; the weights are of the YOLOX project, which trains on BGR. */
const yolox = {
  family: "yolox",
  input: { width: 640, height: 640, mean: 0, std: 1, order: "bgr", fit: "topleft", pad: 114 },
  labels: coco80,
  threshold: 0.35,
};
const yunet = (side: number) => ({
  family: "yunet",
  input: { width: side, height: side, mean: 0, std: 1, order: "bgr", fit: "topleft", pad: 0 },
  labels: ["face"],
  threshold: 0.6,
});
const ultraLight = (width: number, height: number) => ({
  family: "ssd",
  input: { width, height, mean: 127, std: 128, order: "rgb", fit: "stretch" },
  labels: ["face"],
  threshold: 0.7,
});
const fastest = {
  family: "fastestdet",
  input: { width: 352, height: 352, mean: 0, std: 255, order: "bgr", fit: "stretch" },
  labels: coco80,
  threshold: 0.5,
};
/** Its input takes any size; it was trained on this one. It takes levels as they are. */
const ssdMobilenet = {
  family: "tf-ssd",
  input: { width: 300, height: 300, order: "rgb", fit: "stretch" },
  outputs: { firstClass: 1 },
  labels: coco90,
  threshold: 0.4,
};

const quantised = "8-bit weights: smaller, often slower (models bench tells), a little less exact";

const entries: readonly Entry[] = [
  {
    name: "fastestdet",
    version: "2022-07",
    about: "80 everyday objects, 352x352, very fast, coarse boxes",
    licence: "BSD-3-Clause",
    at: fastestDet,
    path: "example/onnx-runtime/FastestDet.onnx",
    sha256: "31cb14c017fce347cb4c846ec62fdf00d76bb3beecdf4be21e7116ac67feb880",
    bytes: 998_169,
    reading: fastest,
  },
  {
    name: "nanodet-m",
    version: "2022-11",
    about: "80 everyday objects, 416x416, small",
    licence: "Apache-2.0",
    at: opencvZoo,
    path: "models/object_detection_nanodet/object_detection_nanodet_2022nov.onnx",
    sha256: "4b82da9944b88577175ee23a459dce2e26e6e4be573def65b1055dc2d9720186",
    bytes: 3_800_954,
    reading: nanodet,
  },
  {
    name: "nanodet-m-int8",
    version: "2022-11",
    about: `80 everyday objects, 416x416; ${quantised}`,
    licence: "Apache-2.0",
    at: opencvZoo,
    path: "models/object_detection_nanodet/object_detection_nanodet_2022nov_int8.onnx",
    sha256: "8dd32b85f2d273e9047f1d6b59e0b2fd008b1076338107bb547ac28942cdf90b",
    bytes: 1_031_424,
    reading: nanodet,
  },
  {
    name: "ssd-mobilenet-v1",
    version: "12",
    about: "80 everyday objects, 300x300, robust, large file",
    licence: "MIT",
    at: onnxModels,
    path: "validated/vision/object_detection_segmentation/ssd-mobilenetv1/model/ssd_mobilenet_v1_12.onnx",
    sha256: "b8fba5e404077d4048d27fcd1667e85e27e192eb9bf51e696c46a3acd7d21058",
    bytes: 29_461_455,
    reading: ssdMobilenet,
  },
  {
    name: "ssd-mobilenet-v1-int8",
    version: "12",
    about: `80 everyday objects, 300x300; ${quantised}`,
    licence: "MIT",
    at: onnxModels,
    path: "validated/vision/object_detection_segmentation/ssd-mobilenetv1/model/ssd_mobilenet_v1_12-int8.onnx",
    sha256: "2b79e6a7fb1ec6a33f332b9b10d82d9de4b7b49dcd26b5946921bb356895c954",
    bytes: 9_540_809,
    reading: ssdMobilenet,
  },
  {
    name: "ultra-light-face-320",
    version: "2022-02",
    about: "faces, 320x240, fast",
    licence: "MIT",
    at: linzaer,
    path: "models/onnx/version-RFB-320.onnx",
    sha256: "34cd7e60aeff28744c657de7a3dc64e872d506741de66987f3426f2b79f88017",
    bytes: 1_270_727,
    reading: ultraLight(320, 240),
  },
  {
    name: "ultra-light-face-320-int8",
    version: "12",
    about: `faces, 320x240; ${quantised}`,
    licence: "MIT",
    at: onnxModels,
    path: "validated/vision/body_analysis/ultraface/models/version-RFB-320-int8.onnx",
    sha256: "093a9a55ff05fd71ace744593fd0c81eab8306d6d8c38b0892c5b3cff7f08265",
    bytes: 458_144,
    reading: ultraLight(320, 240),
  },
  {
    name: "ultra-light-face-640",
    version: "2022-02",
    about: "faces, 640x480, smaller ones too",
    licence: "MIT",
    at: linzaer,
    path: "models/onnx/version-RFB-640.onnx",
    sha256: "8f4c659275977e7a3bfbfa339a9c769ad793df50f9c0baa8c14b11baa1646430",
    bytes: 1_588_012,
    reading: ultraLight(640, 480),
  },
  {
    name: "yolox-s",
    version: "2022-11",
    about: "80 everyday objects, 640x640, the most exact of these, slow on a gateway",
    licence: "Apache-2.0",
    at: opencvZoo,
    path: "models/object_detection_yolox/object_detection_yolox_2022nov.onnx",
    sha256: "c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
    bytes: 35_858_002,
    reading: yolox,
  },
  {
    name: "yolox-s-int8",
    version: "2022-11",
    about: `80 everyday objects, 640x640; ${quantised}`,
    licence: "Apache-2.0",
    at: opencvZoo,
    path: "models/object_detection_yolox/object_detection_yolox_2022nov_int8.onnx",
    sha256: "01a3b0f400b30bc1e45230e991b2e499ab42622485a330021947333fbaf03935",
    bytes: 9_079_452,
    reading: yolox,
  },
  {
    name: "yunet",
    version: "2023-03",
    about: "faces, 640x640, exact and light",
    licence: "MIT",
    at: opencvZoo,
    path: "models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    sha256: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    bytes: 232_589,
    reading: yunet(640),
  },
  {
    name: "yunet-320",
    version: "2024-01",
    about: "faces, 320x320, the fastest of these",
    licence: "Apache-2.0",
    at: libfacedetection,
    path: "onnx/yunet_n_320_320.onnx",
    sha256: "81dbde155e982455488235acb8ec2dec5d647edf7cf7080d33e4abb69b93a0d2",
    bytes: 317_434,
    reading: yunet(320),
  },
  {
    name: "yunet-int8",
    version: "2023-03",
    about: `faces, 640x640; ${quantised}`,
    licence: "MIT",
    at: opencvZoo,
    path: "models/face_detection_yunet/face_detection_yunet_2023mar_int8.onnx",
    sha256: "321aa5a6afabf7ecc46a3d06bfab2b579dc96eb5c3be7edd365fa04502ad9294",
    bytes: 100_416,
    reading: yunet(640),
  },
];

export const catalog: readonly CatalogModel[] = entries.map(modelOf);

export function inCatalog(name: string): CatalogModel | undefined {
  return catalog.find((model) => model.name === name);
}

function modelOf({ at, path, reading, ...facts }: Entry): CatalogModel {
  const { sha256, bytes, licence } = facts;
  const page = `https://github.com/${at.name}/blob/${at.commit}/${path}`;
  const host = at.large ? "https://media.githubusercontent.com/media" : "https://raw.githubusercontent.com";
  return {
    ...facts,
    page,
    url: `${host}/${at.name}/${at.commit}/${path}`,
    manifest: { file: modelFileName, sha256, bytes, licence, source: page, ...reading },
  };
}
