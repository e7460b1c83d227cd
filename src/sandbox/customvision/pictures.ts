import { createHash } from "node:crypto";
import { scanJpeg } from "../../core/jpeg.ts";
import type { SandboxPicture } from "../checks.ts";

/** "6 MB" in the larger of its two readings: a client that keeps to the smaller one never meets it. */
const bytesMax = 6 * 1024 * 1024;
const sideMax = 10_240;
const aspectMax = 25;

/** How the service judges one image by itself; it never refuses a request for it. */
export type PictureJudgement =
  | { readonly kind: "good"; readonly picture: SandboxPicture }
  | { readonly kind: "bad"; readonly status: "ErrorImageFormat" | "ErrorImageSize" };

/** JPEG, PNG, GIF and BMP, told apart by their signatures. */
export function judgePicture(bytes: Buffer): PictureJudgement {
  if (bytes.length > bytesMax) return { kind: "bad", status: "ErrorImageSize" };
  const size = sizeOf(bytes);
  if (size === undefined) return { kind: "bad", status: "ErrorImageFormat" };
  const { width, height } = size;
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (short < 1 || long > sideMax || long > short * aspectMax) return { kind: "bad", status: "ErrorImageSize" };
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { kind: "good", picture: { sha256, width, height, sizeBytes: bytes.length } };
}

function sizeOf(bytes: Buffer): { readonly width: number; readonly height: number } | undefined {
  if (bytes.length >= 24 && bytes.toString("latin1", 0, 8) === "\x89PNG\r\n\x1a\n") {
    return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  }
  if (bytes.length >= 10 && /^GIF8[79]a$/.test(bytes.toString("latin1", 0, 6))) {
    return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
  }
  if (bytes.length >= 26 && bytes.toString("latin1", 0, 2) === "BM") {
    return { width: bytes.readUInt32LE(18), height: Math.abs(bytes.readInt32LE(22)) };
  }
  const scan = scanJpeg(bytes);
  return scan.kind === "complete" && scan.facts.sizeBytes === bytes.length ? scan.facts : undefined;
}
