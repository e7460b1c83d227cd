import { inputOf } from "../../src/capture/ffmpeg/input.ts";
import { deviceSize } from "../../src/capture/ffmpeg/options.ts";
import type { CameraConfig } from "../config-schema.ts";

/** What a camera of the config is attached to, where that says something about the machine. */
export type CameraSource =
  { readonly kind: "v4l2"; readonly device: string } | { readonly kind: "rpicam"; readonly camera: number };

export function sourceOf(config: CameraConfig): CameraSource | undefined {
  switch (config.driver) {
    case "webcam":
      return config.device.startsWith("/") ? { kind: "v4l2", device: config.device } : undefined;
    case "ffmpeg": {
      const input = inputOf(config.input);
      return input.kind === "v4l2" ? input : undefined;
    }
    case "rpicam":
      return { kind: "rpicam", camera: config.camera };
    case "http-snapshot":
    case "http-mjpeg":
    case "exec":
    case "folder":
    case "simulated":
      return undefined;
  }
}

/** The size that the config asks for, where its driver has one. */
export function askedSizeOf(config: CameraConfig): { readonly width: number; readonly height: number } | undefined {
  switch (config.driver) {
    case "webcam":
    case "rpicam":
    case "simulated":
      return { width: config.width, height: config.height };
    case "ffmpeg":
      return ffmpegSize(config);
    case "http-snapshot":
    case "http-mjpeg":
    case "exec":
    case "folder":
      return undefined;
  }
}

/** What ffmpeg asks a device for where nothing is said; of all else the picture's own size is right. */
function ffmpegSize({ input, width, height }: Extract<CameraConfig, { driver: "ffmpeg" }>) {
  if (inputOf(input).kind === "v4l2") return deviceSize({ width, height });
  return width === undefined || height === undefined ? undefined : { width, height };
}

/** The Debian package of the program that a driver runs. */
export function packageOf(driver: CameraConfig["driver"]): string | undefined {
  switch (driver) {
    case "webcam":
      return "fswebcam";
    case "ffmpeg":
      return "ffmpeg";
    case "rpicam":
      return "rpicam-apps-lite";
    case "http-snapshot":
    case "http-mjpeg":
    case "exec":
    case "folder":
    case "simulated":
      return undefined;
  }
}
