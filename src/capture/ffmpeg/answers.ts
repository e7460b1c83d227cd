import { AgentError } from "../../core/errors.ts";
import type { ProgramEnding } from "../stream/camera-program.ts";

/** What ffmpeg says, read. Its words choose the wording and the code of an error, and never make one a success. */

/** The codec of the first video stream, for example `h264`, in what ffmpeg says about its input. */
export function videoCodecOf(lines: readonly string[]): string | undefined {
  return lines.map((line) => /^Stream #\d.*?: Video: (\w+)/.exec(line)?.[1]).find((codec) => codec !== undefined);
}

/** Whether a list of a V4L2 device's formats names JPEG: `Compressed:       mjpeg :          Motion-JPEG : 1280x720`. */
export function offersJpeg(lines: readonly string[]): boolean {
  return lines.some((line) => /\bC(?:ompressed)?\s*:\s*mjpeg\s*:/.test(line));
}

const problems: readonly (readonly [RegExp, string, string])[] = [
  [/401 Unauthorized|authorization failed/i, "CAMERA_CREDENTIALS", "the camera does not take this user and password"],
  [/403 Forbidden|access denied/i, "CAMERA_FORBIDDEN", "the camera does not let this user see it"],
  [/404 Not Found/i, "CAMERA_NOT_FOUND", "the camera has nothing at this address"],
  [/Server returned (4|5)\d\d|Server returned [45]XX|HTTP error \d/i, "CAMERA_REFUSES", "the camera refuses"],
  [/certificate|TLS|SSL/, "CAMERA_TLS", "no trusted encrypted connection to the camera"],
  [/Connection refused/i, "CAMERA_REFUSED", "nobody listens at this address"],
  [/Failed to resolve|Name or service not known|name resolution/i, "CAMERA_DNS", "no such host is known"],
  [/No route to host|Network is unreachable|timed out/i, "CAMERA_UNREACHABLE", "the camera does not answer"],
  [/Device or resource busy/i, "CAMERA_BUSY", "another program uses the camera"],
  [/No such device|Inappropriate ioctl|No such file/i, "CAMERA_NO_DEVICE", "the device gives no pictures"],
  [/Permission denied/i, "CAMERA_DENIED", "it may not be opened; is the user in group video?"],
  [/unknown keyword 'option'|Unrecognized option 'fps_mode'/i, "CAMERA_PROGRAM_OLD", "this ffmpeg is older than 5.1"],
  [/Unknown input format|No such filter|Invalid argument/i, "CAMERA_INPUT", "ffmpeg cannot read this input"],
  [
    /Invalid data found|does not contain any stream|matches no streams/i,
    "CAMERA_INPUT",
    "ffmpeg finds no pictures in it",
  ],
];

/** Why ffmpeg ended without a word on the way: for whoever has to mend it. */
export function problemOf(source: string, { how, said, lines }: ProgramEnding): AgentError {
  const known = problems.find(([pattern]) => lines.some((line) => pattern.test(line)));
  const [, code = "CAMERA_LOST", what = how] = known ?? [];
  const words = said === "" ? "" : ` (${said})`;
  return new AgentError(code, `ffmpeg ${source}: ${what}${words}`, { disposition: "retry" });
}
