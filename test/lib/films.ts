import { join } from "node:path";
import { runProgram } from "./shell.ts";

/** Films of a moving test picture, made by ffmpeg. */

interface Film {
  readonly width?: number;
  readonly height?: number;
  readonly framesPerSecond?: number;
  readonly seconds?: number;
}

/** Every frame a JPEG of its own. */
export function jpegFilm(folder: string, film: Film = {}): string {
  return make(join(folder, "film.avi"), film, ["-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p"]);
}

export function h264Film(folder: string, film: Film = {}): string {
  return make(join(folder, "film.mp4"), film, ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
}

function make(path: string, film: Film, codec: readonly string[]): string {
  const { width = 320, height = 240, framesPerSecond = 50, seconds = 1 } = film;
  const source = `testsrc2=size=${width}x${height}:rate=${framesPerSecond}:duration=${seconds}`;
  runProgram("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, ...codec, path);
  return path;
}
