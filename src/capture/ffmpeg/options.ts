import type { FfmpegInput } from "./input.ts";

export interface FfmpegOptions {
  readonly input: FfmpegInput;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Of RTSP. */
  readonly transport: "tcp" | "udp";
  /** `auto` copies wherever the source gives JPEGs already. */
  readonly encoding: "auto" | "copy" | "jpeg";
  /** Of a V4L2 device the mode to ask for; of all others the size to scale to, which takes an encode. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Asked of a V4L2 device; of others only what is known of them. */
  readonly sourceFramesPerSecond?: number | undefined;
  /** 1 to 100, of pictures that are encoded here. */
  readonly quality: number;
  /** Files are played again at their end. */
  readonly loop: boolean;
  /** Files and generated pictures come at their own rate; false: as fast as they can be read. */
  readonly paced: boolean;
  readonly program: string;
  /** PEM file of the authority to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly insecureSkipVerify: boolean;
  /** A network peer that says nothing for this long is gone. Our own watchdog does not depend on it. 10 s when absent. */
  readonly silenceMs?: number | undefined;
  /** Between two frames that somebody wants; 0: every frame. */
  readonly intervalMs: number;
}

/** How the source's pictures become JPEGs. */
export type Encoding = "copy" | "jpeg";

/** Frames a second that are encoded at most; undefined: all that come. Never under 1, or a frame would be old. */
export function encodedPerSecond({ intervalMs, sourceFramesPerSecond = Infinity }: FfmpegOptions): number | undefined {
  if (intervalMs === 0) return undefined;
  return Math.min(sourceFramesPerSecond, Math.max(1, 1_000 / intervalMs));
}

/** What a V4L2 device is asked for. */
export function deviceSize({ width = 1_280, height = 720 }: Pick<FfmpegOptions, "width" | "height">): {
  readonly width: number;
  readonly height: number;
} {
  return { width, height };
}
