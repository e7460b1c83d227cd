import { AgentError, type Disposition } from "../core/errors.ts";
import type { PictureMeasures } from "../core/picture.ts";
import type { ModelInfo, ReencodeOptions, VisionTimings, WatchOptions } from "../core/vision-port.ts";
import type { PrivacyMask } from "../core/privacy.ts";
import type { Box, Detection, TileGrid } from "../core/types.ts";
import type { Inspection, ProcessUsage } from "./inspection.ts";
import type { ModelSpec } from "./model.ts";

/** What the main process and the vision process say to each other. Pictures travel as the body of a message. */

export interface ModelSettings {
  /** Threads of one run; undefined leaves the choice to the measured time of a run. */
  readonly threads: number | undefined;
  readonly detectionsMax: number;
  readonly candidatesMax: number;
  readonly tiles?: TileGrid;
}

export type Task =
  | { readonly kind: "load"; readonly model: ModelSpec; readonly settings: ModelSettings }
  | { readonly kind: "detect"; readonly exact: boolean }
  | { readonly kind: "watch"; readonly options: WatchOptions }
  | { readonly kind: "measure"; readonly cameraId?: string }
  | { readonly kind: "reencode"; readonly options: ReencodeOptions }
  | { readonly kind: "thumbnail"; readonly sideMax: number; readonly quality: number }
  | { readonly kind: "paint"; readonly mask: PrivacyMask }
  | { readonly kind: "pixelate"; readonly boxes: readonly Box[] }
  /** The body, where there is one, is the picture to draw over. */
  | { readonly kind: "render"; readonly svg: string; readonly quality: number }
  /** The body is a picture to run. */
  | { readonly kind: "inspect" }
  | { readonly kind: "usage" };

interface Request {
  readonly id: number;
  readonly task: Task;
}

export interface DetectAnswer {
  readonly detections: readonly Detection[];
  readonly width: number;
  readonly height: number;
  readonly timings: Omit<VisionTimings, "roundMs">;
}

export type WatchAnswer =
  | (DetectAnswer & { readonly kind: "detected"; readonly measures?: PictureMeasures })
  | {
      readonly kind: "still";
      readonly width: number;
      readonly height: number;
      readonly measures?: PictureMeasures;
      readonly timings: Pick<VisionTimings, "decodeMs" | "measureMs">;
    };

export interface ImageAnswer {
  readonly width: number;
  readonly height: number;
}

/** The result of a task by its kind; a picture comes back in the body. */
export interface Answers {
  readonly load: ModelInfo;
  readonly detect: DetectAnswer;
  readonly watch: WatchAnswer;
  readonly measure: PictureMeasures;
  readonly reencode: ImageAnswer;
  readonly thumbnail: ImageAnswer;
  readonly paint: ImageAnswer;
  readonly pixelate: ImageAnswer;
  readonly render: ImageAnswer;
  readonly inspect: Inspection;
  readonly usage: ProcessUsage;
}

interface SentError {
  readonly code: string;
  readonly message: string;
  readonly disposition: Disposition;
}

export interface Reply {
  readonly id: number;
  /** Its resident set, a second old at most. */
  readonly rssBytes: number;
  /** The highest resident set the vision process ever had. */
  readonly rssPeakBytes: number;
  readonly result?: unknown;
  readonly error?: SentError;
}

/** Undefined for anything that is not one of ours. Only the outline is checked: both ends are built together. */
export function readRequest(header: unknown): Request | undefined {
  return isNumbered(header) && "task" in header ? (header as Request) : undefined;
}

export function readReply(header: unknown): Reply | undefined {
  if (!isNumbered(header)) return undefined;
  return "result" in header || "error" in header ? (header as unknown as Reply) : undefined;
}

/** Only for a reply without an error, to a task of this kind. */
export function resultOf<K extends keyof Answers>(kind: K, reply: Reply): Answers[K];
export function resultOf(_kind: keyof Answers, reply: Reply): unknown {
  return reply.result;
}

export function errorFrom(sent: SentError): AgentError {
  return new AgentError(sent.code, sent.message, { disposition: sent.disposition });
}

export function sentError(error: AgentError): SentError {
  return { code: error.code, message: error.message, disposition: error.disposition };
}

function isNumbered(header: unknown): header is { readonly id: number } {
  return typeof header === "object" && header !== null && "id" in header && typeof header.id === "number";
}
