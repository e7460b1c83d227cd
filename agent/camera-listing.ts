import type { Discovery, LocalCamera } from "../src/capture/discover/cameras.ts";
import type { CameraFormat, FrameSize } from "../src/capture/discover/formats.ts";
import { hintFor } from "./hints.ts";
import { textTable } from "./terminal.ts";

/** What `framepost cameras` prints of the cameras attached to this machine. Pure. */

const sizesShown = 3;
const formatsShown = 2;

/** The name that `--shot` takes, and that goes into the config. */
export function sourceName(camera: LocalCamera): string {
  return camera.kind === "v4l2" ? camera.device : `rpicam:${camera.camera}`;
}

export function cameraTable(cameras: readonly LocalCamera[]): readonly string[] {
  const rows = cameras.map((camera) => [
    camera.name,
    sourceName(camera),
    camera.kind === "v4l2" ? camera.node : "ribbon",
    whatItSends(camera),
  ]);
  return textTable(["camera", "stable name", "now at", "sends, best first"], rows);
}

function whatItSends(camera: LocalCamera): string {
  if (camera.kind === "v4l2" && camera.problem !== undefined) return `? ${camera.problem.message}`;
  const { formats = [] } = camera;
  // The modes of a sensor are no formats to choose from: rpicam makes JPEGs of any size of them.
  if (camera.kind === "rpicam") return sizesText(distinctSizes(formats));
  const shown = formats.slice(0, formatsShown).map(({ format, sizes }) => `${format} ${sizesText(sizes)}`);
  const more = formats.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join("; ");
}

function distinctSizes(formats: readonly CameraFormat[]): readonly FrameSize[] {
  const sizes = new Map<string, FrameSize>();
  for (const size of formats.flatMap((format) => format.sizes)) {
    const key = `${size.width}x${size.height}`;
    if (!sizes.has(key)) sizes.set(key, size);
  }
  return [...sizes.values()].toSorted((a, b) => b.width * b.height - a.width * a.height);
}

function sizesText(sizes: readonly FrameSize[]): string {
  const shown = sizes.slice(0, sizesShown).map(({ width, height, framesPerSecond: [fastest] }) => {
    return `${width}×${height}${fastest === undefined ? "" : ` at ${Math.round(fastest)}/s`}`;
  });
  const more = sizes.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? `, ${more} more` : ""}`;
}

/** What is missing here, each with what brings it; nothing that none of these cameras needs. */
export function missingNotes(
  { cameras, programs, rpicamProblem }: Discovery,
  isRaspberryPi: boolean,
): readonly string[] {
  const notes: string[] = [];
  const hasV4l = cameras.some(({ kind }) => kind === "v4l2");
  if (programs.ffmpeg === undefined) {
    notes.push("ffmpeg is not installed: sudo apt install ffmpeg (USB and RTSP cameras, at almost no cost)");
    if (programs.fswebcam === undefined && hasV4l) notes.push("nor is fswebcam, which also reads USB cameras");
  }
  const namesFormats = cameras.some((camera) => camera.kind === "v4l2" && camera.formats !== undefined);
  if (hasV4l && !namesFormats && programs.v4l2Ctl === undefined && programs.ffmpeg === undefined) {
    notes.push("formats and sizes are unknown without v4l2-ctl: sudo apt install v4l-utils");
  }
  if (isRaspberryPi && programs.rpicamVid === undefined) {
    notes.push("rpicam-vid is not installed: sudo apt install rpicam-apps-lite (cameras on the ribbon connector)");
  }
  if (rpicamProblem !== undefined) notes.push(`Raspberry Pi cameras could not be listed: ${rpicamProblem}`);
  const problems = cameras.flatMap((camera) => (camera.kind === "v4l2" ? [camera.problem?.code ?? []] : [])).flat();
  for (const code of new Set(problems)) {
    const hint = hintFor(code);
    if (hint !== undefined) notes.push(`${code}: ${hint}`);
  }
  return notes;
}
