import { messageOf } from "../../core/errors.ts";
import { discoverLimits } from "../../core/capture-limits.ts";
import { type CameraFormat, type FrameSize, largestFirst } from "./formats.ts";
import { type ListingSeams, runListing } from "./tool.ts";

/** A camera on the ribbon connector of a Raspberry Pi, as its own programs see it. */
export interface PiCamera {
  readonly kind: "rpicam";
  /** Its number, which is what the `rpicam` driver takes. */
  readonly camera: number;
  /** The sensor, for example `imx708_wide`. */
  readonly name: string;
  /** libcamera's name, for example `/base/soc/i2c0mux/i2c@1/imx708@1a`. */
  readonly path: string;
  /** Modes of the sensor, largest first; the pictures may have any size up to them. */
  readonly formats: readonly CameraFormat[];
}

export interface PiListing {
  readonly cameras: readonly PiCamera[];
  /** Why there are none, where the program has a reason. */
  readonly problem?: string;
}

/** `program` is rpicam-hello or, before 2024, libcamera-hello. Never rejects. */
export async function findPiCameras(program: string, seams: ListingSeams, signal: AbortSignal): Promise<PiListing> {
  const { stdout, stderr, problem } = await runListing(program, ["--list-cameras"], seams, signal);
  const cameras = parsePiCameras(stdout);
  // Releases before 2022 wrote the list among their log.
  const found = cameras.length > 0 ? cameras : parsePiCameras(stderr);
  if (found.length > 0) return { cameras: found };
  const failure = /ERROR: \*\*\* (.*?) \*\*\*/.exec(stderr)?.[1];
  const why = problem ?? failure;
  return { cameras: [], ...(why === undefined ? {} : { problem: messageOf(why, 160) }) };
}

/** `0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)` */
const cameraLine = /^(\d{1,2}) : (\S+) (?:\[[^\]]*\] )?\((.+)\)\s*$/;
/** `    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]`, later formats without `Modes:`. */
const formatLine = /^\s+(?:Modes: )?'(\S+)' : /;
/** A size with its rate and crop; before 2022 sizes alone, all of a format in one line. */
const sizePattern = /(\d{2,5})x(\d{2,5})(?: \[([\d.]+|-?nan) fps[^\]]*\])?/g;

/** The output of `rpicam-hello --list-cameras`. */
export function parsePiCameras(output: string): readonly PiCamera[] {
  const cameras: { camera: number; name: string; path: string; formats: { format: string; sizes: FrameSize[] }[] }[] =
    [];
  for (const line of output.split("\n")) {
    const [, number, name = "", path = ""] = cameraLine.exec(line) ?? [];
    if (number !== undefined) {
      cameras.push({ camera: Number(number), name, path, formats: [] });
      continue;
    }
    const camera = cameras.at(-1);
    const format = formatLine.exec(line)?.[1];
    if (format !== undefined) camera?.formats.push({ format, sizes: [] });
    const sizes = camera?.formats.at(-1)?.sizes;
    if (sizes === undefined || sizes.length >= discoverLimits.sizesMax) continue;
    for (const [, width, height, rate] of line.matchAll(sizePattern)) {
      const framesPerSecond = Number(rate) > 0 ? [Number(rate)] : [];
      sizes.push({ width: Number(width), height: Number(height), framesPerSecond });
    }
  }
  return cameras.slice(0, discoverLimits.camerasMax).map((camera) => ({
    ...camera,
    kind: "rpicam",
    formats: camera.formats.slice(0, discoverLimits.formatsMax).map(({ format, sizes }) => ({
      format,
      sizes: largestFirst(sizes),
    })),
  }));
}
