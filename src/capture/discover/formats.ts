import { discoverLimits } from "../../core/capture-limits.ts";

/** One size of a format, with the rates that the camera offers for it, fastest first; none where it does not say. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: readonly number[];
}

/** What a V4L2 camera sends: `MJPG` is ready JPEG, all else must be encoded here. Sizes come largest first. */
export interface CameraFormat {
  /** Four characters as the kernel names it, for example `MJPG`, `YUYV`, `H264`. */
  readonly format: string;
  readonly sizes: readonly FrameSize[];
}

/** Filled while a listing is read. */
interface OpenFormat {
  readonly format: string;
  readonly sizes: { width: number; height: number; framesPerSecond: number[] }[];
}

/** `[0]: 'MJPG' (Motion-JPEG, compressed)`; before v4l-utils 1.18: `Pixel Format: 'MJPG' (compressed)`. */
const formatLine = /^\s*(?:\[\d+\]:|Pixel Format\s*:)\s*'([^']{1,8})'/;
/** `Size: Discrete 1280x720`, or `Size: Stepwise 32x32 - 3280x2464 with step 2/2`, or `Continuous 16x16 - 4096x4096`. */
const sizeLine = /^\s*Size:\s*(?:Discrete (\d+)x(\d+)|(?:Stepwise|Continuous) \d+x\d+ - (\d+)x(\d+))/;
/** `Interval: Discrete 0.033s (30.000 fps)`, or `Stepwise 0.033s - 1.000s with step 0.033s (1.000-30.000 fps)`. */
const rateLine = /^\s*Interval:.*\((?:[\d.]+-)?([\d.]+) fps\)/;

/** The output of `v4l2-ctl --list-formats-ext` (v4l-utils). Of a range of sizes only the largest is kept. */
export function parseV4l2Ctl(output: string): readonly CameraFormat[] {
  const formats: OpenFormat[] = [];
  for (const line of output.split("\n")) {
    const format = formatLine.exec(line)?.[1];
    if (format !== undefined) formats.push({ format: format.trim(), sizes: [] });
    const [, width, height, widthMax, heightMax] = sizeLine.exec(line) ?? [];
    if (width !== undefined || widthMax !== undefined) {
      addSize(formats.at(-1), Number(width ?? widthMax), Number(height ?? heightMax));
    }
    const rate = Number(rateLine.exec(line)?.[1]);
    const rates = formats.at(-1)?.sizes.at(-1)?.framesPerSecond;
    if (rate > 0 && rates !== undefined && rates.length < discoverLimits.ratesMax && !rates.includes(rate)) {
      rates.push(rate);
    }
  }
  return bounded(formats);
}

/** `[video4linux2,v4l2 @ 0x55] Compressed:       mjpeg :          Motion-JPEG : 1280x720 640x480`; `Raw       :` alike. */
const ffmpegLine = /(?:Compressed|Raw)\s*:\s*(\S+) :\s*(.*?) :(.*)$/;
/** ffmpeg's names of what V4L2 cameras send, in the kernel's. */
const fourCharacters: Readonly<Record<string, string>> = {
  mjpeg: "MJPG",
  yuyv422: "YUYV",
  uyvy422: "UYVY",
  h264: "H264",
  hevc: "HEVC",
  nv12: "NV12",
  yuv420p: "YU12",
  gray: "GREY",
  rgb24: "RGB3",
  bgr24: "BGR3",
};

/** The stderr of `ffmpeg -f v4l2 -list_formats all -i …`: formats and sizes, no rates. */
export function parseFfmpegFormats(output: string): readonly CameraFormat[] {
  const formats: OpenFormat[] = [];
  for (const line of output.split("\n")) {
    const [, codec, description = "", sizes = ""] = ffmpegLine.exec(line) ?? [];
    if (codec === undefined) continue;
    const name = codec === "Unsupported" ? description : codec;
    const format: OpenFormat = { format: fourCharacters[name] ?? name, sizes: [] };
    for (const [, width, height] of sizes.matchAll(/(\d+)x(\d+)/g)) addSize(format, Number(width), Number(height));
    // A range: `{32-3280, 2}x{32-2464, 2}`.
    for (const [, width, height] of sizes.matchAll(/\{\d+-(\d+), \d+\}x\{\d+-(\d+), \d+\}/g)) {
      addSize(format, Number(width), Number(height));
    }
    formats.push(format);
  }
  return bounded(formats);
}

/** Ready JPEG first, as it costs nothing to take; then what is cheap to encode; last what needs a decoder. */
const preference: readonly string[] = ["MJPG", "JPEG", "YUYV", "UYVY", "NV12", "YU12", "RGB3", "BGR3", "GREY"];

function rank({ format }: OpenFormat): number {
  const place = preference.indexOf(format);
  return place === -1 ? preference.length : place;
}

function bounded(formats: readonly OpenFormat[]): readonly CameraFormat[] {
  const inOrder = formats.toSorted((a, b) => rank(a) - rank(b)).slice(0, discoverLimits.formatsMax);
  return inOrder.map(({ format, sizes }) => ({ format, sizes: largestFirst(sizes) }));
}

export function largestFirst(sizes: readonly FrameSize[]): readonly FrameSize[] {
  const sorted = sizes.toSorted((a, b) => b.width * b.height - a.width * a.height);
  return sorted.map((size) => ({ ...size, framesPerSecond: size.framesPerSecond.toSorted((a, b) => b - a) }));
}

function addSize(format: OpenFormat | undefined, width: number, height: number): void {
  if (format === undefined || format.sizes.length >= discoverLimits.sizesMax || width * height === 0) return;
  // Some cameras list their default size twice.
  const known = format.sizes.some((size) => size.width === width && size.height === height);
  if (!known) format.sizes.push({ width, height, framesPerSecond: [] });
}
