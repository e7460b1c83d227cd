export interface RpicamOptions {
  /** `video`: one program that runs all the time. `still`: one run for each frame, up to the sensor's full size. */
  readonly mode: "video" | "still";
  /** As `rpicam-hello --list-cameras` counts them. */
  readonly camera: number;
  readonly width: number;
  readonly height: number;
  /** JPEG quality, 1 to 100. */
  readonly quality: number;
  /** Of the sensor, in mode `video`. */
  readonly sourceFramesPerSecond: number;
  readonly rotation: 0 | 180;
  readonly hflip: boolean;
  readonly vflip: boolean;
  /** Further options, each `--name` or `--name=value`. */
  readonly arguments: readonly string[];
}

/**
 * Options that this driver sets itself, and those that write elsewhere, end the stream or mix other bytes into it:
 * `--metadata=-` goes to the standard output, as the pictures do.
 */
const refused = [
  ...["camera", "width", "height", "quality", "framerate", "rotation", "hflip", "vflip", "nopreview", "flush"],
  ...["output", "codec", "timeout", "frames", "immediate", "thumb", "encoding", "raw", "latest", "libav-format"],
  ...["metadata", "config", "help", "version", "list-cameras", "save-pts", "listen", "keypress", "signal", "initial"],
  ...["split", "segment", "circular", "wrap", "timelapse", "framestart", "datetime", "timestamp"],
  ...["preview", "fullscreen", "qt-preview", "post-process-libs", "preview-libs", "encoder-libs"],
];

const shape = /^--([a-z][a-z0-9-]*)(?:=[A-Za-z0-9_.,:;%+/ -]{0,200})?$/;

/** The programs take any beginning of an option's name for the option (boost::program_options), so these count too. */
export function isAllowedArgument(argument: string): boolean {
  const [, name] = shape.exec(argument) ?? [];
  return name !== undefined && !refused.some((whole) => whole.startsWith(name));
}

/**
 * Every option stands in the sources of rpicam-apps v1.0.0 (October 2022, still named libcamera-apps) to v1.5.0, and in
 * its main branch. Without `-n` it wants a display, without `-t 0` it ends after 5 s, without `--flush` a frame waits for
 * the next one.
 */
export function videoArguments(options: RpicamOptions): readonly string[] {
  const fixed = ["-n", "-t", "0", "--codec", "mjpeg", "--flush"];
  return [...fixed, ...picture(options), "--framerate", String(options.sourceFramesPerSecond), ...theRest(options)];
}

/** Without `--immediate` it shows a preview for 5 s first; the thumbnail would be of no use to anybody. */
export function stillArguments(options: RpicamOptions): readonly string[] {
  return ["-n", "--immediate", "--encoding", "jpg", "--thumb", "none", ...picture(options), ...theRest(options)];
}

function picture({ camera, width, height, quality, rotation, hflip, vflip }: RpicamOptions): readonly string[] {
  return [
    ...["--camera", String(camera), "--width", String(width), "--height", String(height), "-q", String(quality)],
    ...(rotation === 0 ? [] : ["--rotation", String(rotation)]),
    ...(hflip ? ["--hflip"] : []),
    ...(vflip ? ["--vflip"] : []),
  ];
}

function theRest(options: RpicamOptions): readonly string[] {
  return [...options.arguments, "-o", "-"];
}
