import type { RequestListener, ServerResponse } from "node:http";
import { CameraWebServer, type CameraWebServerOptions } from "./camera-web-server.ts";

/**
 * How the pictures are strung together, right and wrong as cameras do it: with a Content-Length, without one, with one
 * that is too long and too short in turns, with a boundary whose dashes are counted twice, or one JPEG after the other
 * with nothing between.
 */
export const mjpegFramings = ["lengths", "no-lengths", "lying-lengths", "dashes", "raw"] as const;
export type MjpegFraming = (typeof mjpegFramings)[number];

export interface MjpegOptions {
  /** Sent in turns, for ever. */
  readonly pictures: readonly Buffer[];
  readonly periodMs?: number;
  readonly framing?: MjpegFraming;
}

/** `boundary` as the body has it, for pictures that hold it by chance. */
export const mjpegBoundary = "--frame";

/** Starts a server that answers every path with a stream of JPEGs. */
export async function mjpegServer(
  options: MjpegOptions,
  serverOptions: CameraWebServerOptions = {},
): Promise<CameraWebServer> {
  return new CameraWebServer(mjpegAnswer(options), serverOptions).start();
}

export function mjpegAnswer({ pictures, periodMs = 20, framing = "lengths" }: MjpegOptions): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { "Content-Type": contentType(framing), "Cache-Control": "no-store", Connection: "close" });
    response.flushHeaders();
    let sent = 0;
    const send = () => {
      const jpeg = pictures[sent % pictures.length];
      // A reader that is slower than the camera misses pictures.
      if (jpeg === undefined || response.writableNeedDrain) return;
      sendPart(response, jpeg, framing, sent);
      sent += 1;
    };
    send();
    const timer = setInterval(send, periodMs);
    response.once("close", () => clearInterval(timer));
  };
}

function contentType(framing: MjpegFraming): string {
  if (framing === "raw") return "application/octet-stream";
  return `multipart/x-mixed-replace; boundary=${framing === "dashes" ? "--frame" : "frame"}`;
}

function sendPart(response: ServerResponse, jpeg: Buffer, framing: MjpegFraming, number: number): void {
  if (framing === "raw") {
    response.write(jpeg);
    return;
  }
  const lie = number % 2 === 0 ? 37 : -37;
  const length = framing === "no-lengths" ? undefined : jpeg.length + (framing === "lying-lengths" ? lie : 0);
  const lengthLine = length === undefined ? "" : `Content-Length: ${length}\r\n`;
  response.write(`${mjpegBoundary}\r\nContent-Type: image/jpeg\r\n${lengthLine}\r\n`, "latin1");
  response.write(jpeg);
  response.write("\r\n");
}
