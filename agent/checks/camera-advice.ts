import { intervalMsOf } from "../../src/capture/config.ts";
import type { CameraFormat } from "../../src/capture/discover/formats.ts";
import type { V4lCamera } from "../../src/capture/discover/v4l.ts";
import { faultTexts, judgeMeasures, type PictureFault, type PictureMeasures } from "../../src/core/picture.ts";
import type { CameraConfig } from "../config-schema.ts";
import { askedSizeOf, sourceOf } from "./camera-source.ts";

/** What works but could work better, told from the config and the frame alone. Pure. */
export interface Advice {
  readonly found: string;
  readonly mend: string;
}

/** fswebcam opens the camera for each frame and throws its first ones away: about two seconds with most cameras. */
const webcamIntervalMinMs = 2_000;

/** From the config alone, before the camera is opened. */
export function configAdvice(config: CameraConfig, attached: readonly V4lCamera[]): readonly Advice[] {
  return [...deviceNameAdvice(config, attached), ...intervalAdvice(config)];
}

/** Numbers of video nodes change with the order in which cameras are found. */
function deviceNameAdvice(config: CameraConfig, attached: readonly V4lCamera[]): readonly Advice[] {
  const source = sourceOf(config);
  if (source?.kind !== "v4l2" || !/^\/dev\/video\d+$/.test(source.device)) return [];
  const known = attached.find(({ node }) => node === source.device);
  if (known === undefined || known.device === source.device) return [];
  const found = `${source.device} may be another camera after a restart or when one is unplugged`;
  return [{ found, mend: `name it ${known.device}` }];
}

function intervalAdvice(config: CameraConfig): readonly Advice[] {
  if (config.driver !== "webcam" || intervalMsOf(config) >= webcamIntervalMinMs) return [];
  const found = `driver webcam opens the camera anew for each frame, which takes longer than ${intervalMsOf(config)} ms`;
  return [{ found, mend: "use driver ffmpeg, which keeps the camera open, or an interval of 2s or more" }];
}

/** `offered` is undefined where the camera could not be asked. */
export function sizeAdvice(
  config: CameraConfig,
  got: { readonly width: number; readonly height: number },
  offered: readonly CameraFormat[] | undefined,
): readonly Advice[] {
  const asked = askedSizeOf(config);
  if (asked === undefined) return [];
  const isAsked = got.width === asked.width && got.height === asked.height;
  const isTurned = got.width === asked.height && got.height === asked.width;
  if (isAsked || isTurned) return [];
  const found = `its frames are ${sizeOf(got)}, not the ${sizeOf(asked)} of the config`;
  const sizes = [...new Set((offered ?? []).flatMap((format) => format.sizes.map(sizeOf)))];
  const mend =
    sizes.length === 0
      ? `set width: ${got.width} and height: ${got.height}, or see what it offers with: framepost cameras`
      : `set width and height to one that it offers: ${sizes.slice(0, 8).join(", ")}`;
  return [{ found, mend }];
}

/** What the picture itself shows of the camera. */
export function pictureAdvice(measures: PictureMeasures): readonly Advice[] {
  // A black picture hides whether it is sharp: the worst fault alone is told.
  return judgeMeasures(measures)
    .slice(0, 1)
    .map((fault) => ({ found: faultTexts[fault], mend: pictureMends[fault] }));
}

const pictureMends: Readonly<Record<PictureFault, string>> = {
  frozen: "restart the camera; it repeats one picture",
  dark: "give it light, or take its cap off; a camera that finds its exposure slowly: raise skip of driver webcam",
  "over-exposed": "turn it away from the light, or lower the exposure in the camera's own settings",
  covered: "look whether something is before the lens, or on it",
  blurred: "focus it, clean its lens, and take the foil off",
};

function sizeOf({ width, height }: { readonly width: number; readonly height: number }): string {
  return `${width}×${height}`;
}
