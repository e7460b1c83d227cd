import { usesTls, type FfmpegInput } from "./input.ts";
import { deviceSize, encodedPerSecond, type Encoding, type FfmpegOptions } from "./options.ts";

/**
 * Command lines of ffmpeg. Every user of the machine may read a command line, so that an address never stands in one:
 * ffmpeg reads it from a list on its standard input, with the user and the password in it.
 */

export interface FfmpegRun {
  readonly argv: readonly string[];
  /** The list for its standard input. */
  readonly input?: string;
  /** Whatever of the list no text may hold. */
  readonly secrets: readonly string[];
}

const silenceMs = 10_000;
/** Frames to its standard output, each in a part of a multipart stream. */
export function streamRun(options: FfmpegOptions, encoding: Encoding): FfmpegRun {
  const { argv, ...rest } = inputRun(options, encoding);
  const picture = encoding === "copy" ? ["-c:v", "copy"] : encodeArguments(options);
  const output = ["-map", "0:v:0", ...picture, "-fps_mode", "passthrough"];
  // Without the flush the end of a frame waits in a buffer until the next one comes.
  const pipe = ["-flush_packets", "1", "-f", "mpjpeg", "pipe:1"];
  return { argv: ["-hide_banner", "-nostats", "-loglevel", "error", ...argv, ...output, ...pipe], ...rest };
}

/** Only says what the source is, on stderr, and ends with status 1. */
export function askRun(options: FfmpegOptions): FfmpegRun {
  const { input } = options;
  if (input.kind === "v4l2") {
    return {
      argv: ["-hide_banner", "-nostdin", "-f", "v4l2", "-list_formats", "all", "-i", input.device],
      secrets: [],
    };
  }
  const { argv, ...rest } = inputRun({ ...options, paced: false, loop: false }, "copy");
  // The codec is known from the first bytes; sizes and rates, for which ffmpeg reads on for a second, are not asked for.
  return { argv: ["-hide_banner", "-analyzeduration", "100000", ...argv], ...rest };
}

function inputRun(options: FfmpegOptions, encoding: Encoding): FfmpegRun {
  const { input, loop, paced } = options;
  const pace = paced ? ["-re"] : [];
  switch (input.kind) {
    case "v4l2":
      return { argv: ["-nostdin", ...v4l2Arguments(options, encoding), "-i", input.device], secrets: [] };
    case "lavfi":
      return { argv: ["-nostdin", ...pace, "-f", "lavfi", "-i", input.graph], secrets: [] };
    case "file":
      return {
        argv: ["-nostdin", ...pace, ...(loop ? ["-stream_loop", "-1"] : []), "-i", `file:${input.path}`],
        secrets: [],
      };
    case "rtsp":
    case "http":
      return listed(options, input.url);
  }
}

function v4l2Arguments(options: FfmpegOptions, encoding: Encoding): readonly string[] {
  const { sourceFramesPerSecond } = options;
  const { width, height } = deviceSize(options);
  const format = encoding === "copy" ? ["-input_format", "mjpeg"] : [];
  const rate = sourceFramesPerSecond === undefined ? [] : ["-framerate", String(sourceFramesPerSecond)];
  return ["-f", "v4l2", ...format, "-video_size", `${width}x${height}`, ...rate];
}

function listed(options: FfmpegOptions, plainUrl: string): FfmpegRun {
  const { username, password } = options;
  const url = withCredentials(plainUrl, username, password);
  const settings = options.input.kind === "rtsp" ? rtspSettings(options) : httpSettings(options);
  const lines = [
    "ffconcat version 1.0",
    `file ${quoted(url)}`,
    "option fpsprobesize 0",
    ...settings.map(([name, value]) => `option ${name} ${quoted(value)}`),
  ];
  const query = /\?(.+)$/.exec(plainUrl)?.[1];
  const secrets = [url, query, password];
  return {
    // Frames are passed on as they come: neither list nor source is watched for a second first to find out their rate.
    argv: [
      "-fpsprobesize",
      "0",
      "-f",
      "concat",
      "-safe",
      "0",
      "-protocol_whitelist",
      protocolsOf(options.input),
      "-i",
      "pipe:0",
    ],
    input: `${lines.join("\n")}\n`,
    secrets: secrets.filter((secret) => secret !== undefined),
  };
}

/** The list and what carries this source: whatever a camera answers, it leads to no file, and to nothing less encrypted. */
function protocolsOf(input: FfmpegInput): string {
  if (input.kind === "rtsp") return usesTls(input) ? "pipe,rtsp,rtp,tls,tcp" : "pipe,rtsp,rtp,udp,tcp";
  return usesTls(input) ? "pipe,https,tls,tcp" : "pipe,http,tcp";
}

function rtspSettings({ transport, ...options }: FfmpegOptions): readonly (readonly [string, string])[] {
  return [
    ["rtsp_transport", transport],
    ["allowed_media_types", "video"],
    ["timeout", microseconds(options)],
  ];
}

function httpSettings(options: FfmpegOptions): readonly (readonly [string, string])[] {
  const { input, ca, insecureSkipVerify } = options;
  const silence = ["rw_timeout", microseconds(options)] as const;
  if (!usesTls(input)) return [silence];
  const authority = ca === undefined ? [] : [["ca_file", ca] as const];
  return [silence, ["tls_verify", insecureSkipVerify ? "0" : "1"], ...authority];
}

function microseconds(options: Pick<FfmpegOptions, "silenceMs">): string {
  return String(1_000 * (options.silenceMs ?? silenceMs));
}

function encodeArguments(options: FfmpegOptions): readonly string[] {
  const { input, width, height, quality } = options;
  const perSecond = encodedPerSecond(options);
  const scaled = input.kind !== "v4l2" && (width !== undefined || height !== undefined);
  const filters = [
    // Unlike `fps` it repeats no frame of a slow camera, and lets the first one through at once.
    ...(perSecond === undefined
      ? []
      : [`select='isnan(prev_selected_t)+gte(abs(t-prev_selected_t),${0.95 / perSecond})'`]),
    ...(scaled ? [`scale=${width ?? -2}:${height ?? -2}`] : []),
  ];
  const filter = filters.length === 0 ? [] : ["-vf", filters.join(",")];
  return [...filter, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", quantiserOf(quality)];
}

/** ffmpeg's scale of whole numbers from 2 (best) to 31, so that pictures are as large as those of libjpeg. */
function quantiserOf(quality: number): string {
  const coarseness = quality < 50 ? 50 / quality : 2 - quality / 50;
  return String(Math.min(31, Math.max(2, Math.round(12 * coarseness))));
}

function withCredentials(url: string, username: string | undefined, password: string | undefined): string {
  if (username === undefined) return url;
  const secret = password === undefined ? "" : `:${percentEncoded(password)}`;
  return url.replace("://", () => `://${percentEncoded(username)}${secret}@`);
}

/** Everything but letters, digits and `-_.~`: also what is a quote in the list. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** As ffmpeg's lists have it: nothing is special between quotes, and a quote is written outside of them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
