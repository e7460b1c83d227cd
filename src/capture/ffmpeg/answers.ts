/** What ffmpeg says, read. Its words choose the wording and the code of an error, and never make one a success. */

/** The codec of the first video stream, for example `h264`, in what ffmpeg says about its input. */
export function videoCodecOf(lines: readonly string[]): string | undefined {
  return lines.map((line) => /^Stream #\d.*?: Video: (\w+)/.exec(line)?.[1]).find((codec) => codec !== undefined);
}

/** Whether a list of a V4L2 device's formats names JPEG: `Compressed:       mjpeg :          Motion-JPEG : 1280x720`. */
export function offersJpeg(lines: readonly string[]): boolean {
  return lines.some((line) => /\bC(?:ompressed)?\s*:\s*mjpeg\s*:/.test(line));
}

interface Problem {
  readonly code: string;
  readonly what: string;
}

const problems: readonly (readonly [RegExp, string, string])[] = [
  [/401 Unauthorized|authorization failed/i, "CAMERA_LOGIN_REFUSED", "the camera does not take this user and password"],
  [/403 Forbidden|access denied/i, "CAMERA_LOGIN_REFUSED", "this user may not see pictures, or the password is wrong"],
  [/404 Not Found/i, "CAMERA_NOT_FOUND", "there is nothing at this path"],
  [/Server returned [45]|HTTP error [45]|method \w+ failed: [45]/i, "CAMERA_HTTP_STATUS", "the camera refuses"],
  [/certificate|\[tls @/i, "CAMERA_TLS", "there is no encrypted connection that can be trusted"],
  [/Connection refused/i, "CAMERA_UNREACHABLE", "nobody listens there"],
  [/Failed to resolve|Name or service not known|name resolution/i, "CAMERA_UNREACHABLE", "this host is not known"],
  [/No route to host|Network is unreachable|timed out/i, "CAMERA_UNREACHABLE", "the camera does not answer"],
  [/Device or resource busy/i, "CAMERA_BUSY", "another program uses the camera"],
  [/No such device|Inappropriate ioctl|No such file/i, "CAMERA_NO_DEVICE", "the device is gone, or gives no pictures"],
  [/Permission denied/i, "CAMERA_DENIED", "it may not be opened"],
  [/unknown keyword 'option'|Unrecognized option/i, "CAMERA_PROGRAM_OLD", "this ffmpeg is older than 5.1"],
  [/Unknown input format|No such filter|Error opening filters/i, "CAMERA_INPUT", "ffmpeg cannot read this input"],
  [/Invalid data found|not contain any stream|matches no streams/i, "CAMERA_INPUT", "ffmpeg finds no pictures in it"],
];

/** Why ffmpeg ended, for whoever has to mend it; undefined where its words say nothing known. */
export function problemIn(lines: readonly string[]): Problem | undefined {
  const [, code, what] = problems.find(([pattern]) => lines.some((line) => pattern.test(line))) ?? [];
  return code === undefined || what === undefined ? undefined : { code, what };
}
