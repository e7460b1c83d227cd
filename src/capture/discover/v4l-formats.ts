import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { errnoOf, messageOf } from "../../core/errors.ts";
import { type CameraFormat, parseFfmpegFormats, parseV4l2Ctl } from "./formats.ts";
import { type Listing, type ListingSeams, runListing } from "./tool.ts";
import type { CameraProblem, V4lCamera } from "./v4l.ts";

/** Programs that can ask a camera for its formats, by their absolute paths. */
export interface FormatPrograms {
  readonly v4l2Ctl?: string;
  readonly ffmpeg?: string;
}

/** The camera with its formats, or with what keeps it from saying them. Opens the device for a moment, never rejects. */
export async function withFormats(
  camera: V4lCamera,
  { v4l2Ctl, ffmpeg }: FormatPrograms,
  seams: ListingSeams,
  signal: AbortSignal,
): Promise<V4lCamera> {
  const denied = await deniedProblem(camera.device);
  if (denied !== undefined) return { ...camera, problem: denied };
  if (v4l2Ctl !== undefined) {
    const listing = await runListing(v4l2Ctl, ["--device", camera.device, "--list-formats-ext"], seams, signal);
    return withListing(camera, parseV4l2Ctl(listing.stdout), listing);
  }
  if (ffmpeg === undefined) return camera;
  const argv = ["-nostdin", "-hide_banner", "-f", "v4l2", "-list_formats", "all", "-i", camera.device];
  const listing = await runListing(ffmpeg, argv, seams, signal);
  return withListing(camera, parseFfmpegFormats(listing.stderr), listing);
}

function withListing(camera: V4lCamera, formats: readonly CameraFormat[], listing: Listing): V4lCamera {
  return formats.length > 0 ? { ...camera, formats } : { ...camera, problem: problemOf(camera.device, listing) };
}

/** Before any program is run, as their words for it differ. */
async function deniedProblem(device: string): Promise<CameraProblem | undefined> {
  try {
    await access(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "EACCES" && code !== "EPERM") {
      return { code: "CAMERA_NO_DEVICE", message: `${device} is not there` };
    }
    return { code: "CAMERA_DENIED", message: `${device} may not be opened; is the user in group video?` };
  }
}

/** Words of the C library: v4l2-ctl and ffmpeg both print them after the device's name. */
function problemOf(device: string, { stderr, problem }: Listing): CameraProblem {
  const said = stderr.split("\n").findLast((line) => line.trim() !== "") ?? "";
  const text = messageOf(problem ?? said, 160).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  if (/\bbusy\b/i.test(stderr)) return { code: "CAMERA_BUSY", message: `${device} is in use by another program` };
  if (/permission denied|not permitted/i.test(stderr)) return { code: "CAMERA_DENIED", message: text };
  if (/no such (?:file|device)/i.test(stderr)) return { code: "CAMERA_NO_DEVICE", message: text };
  return { code: "CAMERA_NO_FORMATS", message: `${device} names no formats${text === "" ? "" : `: ${text}`}` };
}
