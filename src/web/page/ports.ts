import type { Detection, ModelStamp } from "../../core/types.ts";

/** One part of what the page shows, under the name of the event that carries it. */
export interface Section {
  /** Of all sections; one whose value is the same as when it was sent last is not sent again. */
  readonly key: string;
  readonly event: string;
  readonly value: object;
}

export interface LogTail {
  /** Masked. */
  readonly lines: readonly string[];
  /** Count of the last one: what came after it is asked for with this. */
  readonly last: number;
}

/** A frame as the pipeline has seen it: what is stored and sent of it, masks and blur included. */
export interface SeenPicture {
  readonly camera: string;
  /** Wall clock of the capture. */
  readonly atMs: number;
  readonly jpeg: Buffer;
  readonly width: number;
  readonly height: number;
  /** False when the detector was away. */
  readonly labelled: boolean;
  /** In pixels of the picture, also those below the threshold. */
  readonly detections: readonly Detection[];
  readonly model?: Pick<ModelStamp, "name" | "threshold" | "thresholds">;
  /** The rule that made it a record; absent where it is none. */
  readonly rule?: string;
}

/** Names a frame or a sighting, of one process. */
export type PictureId = number;

export type CommandAnswer =
  { readonly kind: "unknown" } | { readonly kind: "answered"; readonly state: string; readonly answer: object };

/** What the page shows and does, implemented by the agent. Holds no secret. */
export interface PagePort {
  /** Everything as it is now. Asked once a second, and only while a page is open. */
  sections(): Promise<readonly Section[]>;
  /** The newest frames; their pictures can be fetched for a while. */
  frames(): readonly Section[];
  log(after: number): LogTail;
  /** No page is open any more. */
  quiet(): void;
  picture(id: PictureId): Buffer | undefined;
  /** Undefined where the picture is gone. */
  thumbnail(id: PictureId): Promise<Buffer | undefined>;
  /** One of those that the page may use. `request`: id, args and dry, from outside. */
  run(name: string, request: unknown): Promise<CommandAnswer>;
}
