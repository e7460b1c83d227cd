import { z } from "zod";
import { secret } from "../../config/values.ts";
import { isPrivateHost } from "../../link/hosts.ts";
import { commonCameraFields, intervalMsOf, pixels } from "../config.ts";
import { inputOf, inputProblem, usesTls } from "./input.ts";
import type { FfmpegOptions } from "./options.ts";

const input = z
  .string()
  .min(1)
  .max(4_096)
  .superRefine((text, context) => {
    const problem = inputProblem(text);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  })
  .describe(
    "/dev/v4l/by-id/… (a V4L2 camera), rtsp:// or rtsps://, http:// or https:// (MJPEG), lavfi:… (generated), else a file",
  );

export const ffmpegCamera = z
  .strictObject({
    ...commonCameraFields,
    driver: z.literal("ffmpeg").describe("V4L2, RTSP, MJPEG over HTTP, files: one ffmpeg that runs all the time"),
    input,
    username: z
      .string()
      .regex(/^[^:\p{Cc}]{1,256}$/u, "expected 1 to 256 characters, no colon and no line break")
      .optional()
      .describe("User of a camera with an address"),
    password: secret.optional(),
    transport: z.enum(["tcp", "udp"]).default("tcp").describe("What carries an RTSP stream"),
    encoding: z
      .enum(["auto", "copy", "jpeg"])
      .default("auto")
      .describe("auto: copied where the source gives JPEGs, else encoded. copy, jpeg: always the one"),
    width: pixels.optional().describe("Of a V4L2 camera what to ask it for (1280); else the width to scale to"),
    height: pixels.optional().describe("Of a V4L2 camera what to ask it for (720); else the height to scale to"),
    sourceFramesPerSecond: z
      .number()
      .min(0.01)
      .max(240)
      .optional()
      .describe("Frames a second to ask a V4L2 camera for; of others what they send, where that is less than one"),
    quality: z.number().int().min(1).max(100).default(85).describe("JPEG quality of what is encoded here, 1 to 100"),
    loop: z.boolean().default(true).describe("Play a file again at its end"),
    program: z
      .string()
      .regex(/^(?:\/[^\u0000-\u001f]+|[A-Za-z0-9_][A-Za-z0-9_.+-]*)$/, "expected a program's name or its absolute path")
      .default("ffmpeg")
      .describe("The ffmpeg to run, 5.1 or newer, when it is not on the path"),
    tls: z
      .strictObject({
        ca: z
          .string()
          .min(1)
          .optional()
          .describe("PEM file with the certificate authority to trust instead of the system's"),
        insecureSkipVerify: z
          .boolean()
          .default(false)
          .describe("Accept any certificate; needed for rtsps, whose certificates ffmpeg does not check"),
      })
      .optional(),
  })
  .superRefine((camera, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
    const source = inputOf(camera.input);
    const hasUser = source.kind === "rtsp" || source.kind === "http";
    if (camera.username !== undefined && !hasUser) refuse("username", "needs an rtsp:// or http:// input");
    if (camera.password !== undefined && camera.username === undefined) refuse("password", "needs a username");
    if (camera.tls !== undefined && !usesTls(source)) refuse("tls", "needs an rtsps:// or https:// input");
    const isUnchecked = source.kind === "rtsp" && usesTls(source) && camera.tls?.insecureSkipVerify !== true;
    if (isUnchecked)
      refuse("input", "ffmpeg does not check an rtsps certificate: set tls.insecureSkipVerify to accept that");
    const scales = source.kind !== "v4l2" && (camera.width !== undefined || camera.height !== undefined);
    if (scales && camera.encoding === "copy") refuse("encoding", "a copied picture cannot be scaled");
  })
  .describe("Whatever ffmpeg reads");

type FfmpegCameraConfig = z.infer<typeof ffmpegCamera>;

/** What an operator should know although it is allowed. Holds no secret. */
export function ffmpegWarnings({ id, input: text, password, tls }: FfmpegCameraConfig): readonly string[] {
  const source = inputOf(text);
  if (source.kind !== "rtsp" && source.kind !== "http") return [];
  const { hostname, search } = new URL(source.url);
  const what = password === undefined && search === "" ? "its pictures pass" : "the password and its pictures pass";
  return [
    ...(!usesTls(source) && !isPrivateHost(hostname)
      ? [`${id}: ${what} unencrypted between here and ${hostname}; use an encrypted way if the camera has one`]
      : []),
    ...(tls?.insecureSkipVerify === true
      ? [`${id}: the camera's certificate is not checked (tls.insecureSkipVerify), so that anybody may pose as it`]
      : []),
  ];
}

/** The driver's options in its own units. */
export function ffmpegOptions(config: FfmpegCameraConfig): FfmpegOptions {
  const { username, password, transport, encoding, width, height, sourceFramesPerSecond, quality, loop } = config;
  return {
    ...{ username, password, transport, encoding, width, height, sourceFramesPerSecond, quality, loop },
    input: inputOf(config.input),
    paced: true,
    program: config.program,
    ca: config.tls?.ca,
    insecureSkipVerify: config.tls?.insecureSkipVerify ?? false,
    // A camera that is slow, or may be silent for long, is not to be given up by ffmpeg before we would do so.
    silenceMs: Math.max(10_000, config.stallAfter ?? 0, 5_000 / (sourceFramesPerSecond ?? 1)),
    intervalMs: intervalMsOf(config),
  };
}
