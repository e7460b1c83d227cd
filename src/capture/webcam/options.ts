import { AgentError } from "../../core/errors.ts";

export interface WebcamOptions {
  /** A V4L2 node, best by its stable name under /dev/v4l/by-id; or fswebcam's own `TEST:` and `FILE:/path.jpg`. */
  readonly device: string;
  readonly width: number;
  readonly height: number;
  /** 1 to 95. */
  readonly quality: number;
  /** Frames thrown away first, while the sensor finds its exposure. */
  readonly skip: number;
  /** Whole seconds between opening the device and the picture. */
  readonly delaySeconds: number;
  /** Frames averaged into the picture. */
  readonly frames: number;
  /** Clockwise. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** A plain name or an absolute path; `fswebcam` when absent. */
  readonly program?: string;
}

/** Letters, digits and the punctuation that udev's names use. No blank, quote or shell sign; no option by a leading dash. */
export const webcamDevicePattern = /^(?:(?:TEST|FILE|RAW|V4L1|V4L2):)?(?:\/[A-Za-z0-9_./:+,=@-]*)?$/;
export const programPattern = /^(?:\/[A-Za-z0-9_./+-]+|[A-Za-z0-9_][A-Za-z0-9_.+-]*)$/;

/**
 * node-webcam writes its options unquoted into a shell command, so these checks are the only thing between the config
 * and a shell. They are made here, and not only in the config's schema, because this module runs the command.
 */
export function checkWebcamOptions(options: WebcamOptions): void {
  if (options.device === "" || !webcamDevicePattern.test(options.device)) throw refused("device", options.device);
  if (options.program !== undefined && !programPattern.test(options.program)) throw refused("program", options.program);
  const bounds: readonly (readonly [keyof WebcamOptions, number, number])[] = [
    ["width", 16, 16_384],
    ["height", 16, 16_384],
    ["quality", 1, 95],
    ["skip", 0, 100],
    ["delaySeconds", 0, 30],
    ["frames", 1, 100],
    ["rotation", 0, 270],
  ];
  for (const [name, min, max] of bounds) {
    const value: unknown = options[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw refused(name, String(value));
    }
  }
}

/** The file behind a device string, when there is one to look at. */
export function deviceFile(device: string): string | undefined {
  const path = device.replace(/^[A-Z0-9]+:/, "");
  return path === "" ? undefined : path;
}

function refused(name: string, value: string): AgentError {
  const shown = JSON.stringify(value.slice(0, 80));
  return new AgentError("CAMERA_OPTION_REFUSED", `webcam: ${name} ${shown} is not allowed`, { disposition: "fatal" });
}
