import type { Clock } from "../core/clock.ts";
import { AgentError } from "../core/errors.ts";
import { withHuffmanTables, type JpegFacts } from "../core/jpeg.ts";
import type { CameraDriver, Shot } from "../core/ports.ts";
import type { Frame } from "../core/types.ts";
import type { CameraBooks } from "./camera-books.ts";
import { judgePicture, type CaptureLimits } from "./judge.ts";

export interface IntakeParts {
  readonly cameraId: string;
  readonly pace: CameraDriver["pace"];
  /** That its pictures stay the same is no alarm. */
  readonly mayRepeat: boolean;
  readonly limits: CaptureLimits;
}

/** Judges what the driver of one camera hands over, and makes frames of it. */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #clock: Clock;
  readonly #books: CameraBooks;

  constructor(parts: IntakeParts, clock: Clock, books: CameraBooks) {
    this.#parts = parts;
    this.#clock = clock;
    this.#books = books;
  }

  /**
   * Undefined for a bad picture, and for an early one, which shows that the camera runs and is nobody's frame. Fails with
   * `CAMERA_BAD_IMAGES` when there were too many bad ones in a row.
   */
  frameOf({ jpeg, fileName }: Extract<Shot, { kind: "image" }>, isEarly: boolean): Frame | undefined {
    const { cameraId, limits, mayRepeat } = this.#parts;
    const judgement = judgePicture(jpeg, limits);
    if (judgement.kind === "bad") {
      const message = `camera ${cameraId} gave a bad picture: ${judgement.why}`;
      this.bad(new AgentError("CAMERA_BAD_IMAGE", message, { disposition: "retry" }));
      return undefined;
    }
    if (isEarly) {
      this.#books.running();
      return undefined;
    }
    const frame = { ...this.#stamped(jpeg, judgement.facts), ...(fileName === undefined ? {} : { fileName }) };
    this.#books.took(frame, !mayRepeat);
    return frame;
  }

  /** One bad picture is an error that counts and nothing more; several in a row are a broken source. */
  bad(error: AgentError): void {
    const { cameraId, pace, limits } = this.#parts;
    this.#books.bad(error, pace === "every");
    // Bad files among many are not the fault of the folder they lie in: a finite source goes on with the next.
    const { badInARow } = this.#books;
    if (pace !== "newest" || badInARow < limits.badImagesInARowMax) return;
    const message = `camera ${cameraId} gave ${badInARow} bad pictures in a row: ${error.message}`;
    throw new AgentError("CAMERA_BAD_IMAGES", message, { disposition: "retry", cause: error });
  }

  #stamped(bytes: Buffer, judged: JpegFacts): Frame {
    const { jpeg, facts } = withHuffmanTables(bytes, judged);
    return {
      cameraId: this.#parts.cameraId,
      sequence: this.#books.framesCaptured + 1,
      jpeg: ownedCopy(jpeg, facts.sizeBytes),
      width: facts.width,
      height: facts.height,
      capturedAtMs: this.#clock.nowMs(),
      monotonicMs: this.#clock.monotonicMs(),
      facts,
    };
  }
}

/** Bytes that no driver's buffer shares, without what follows the end marker. */
function ownedCopy(jpeg: Buffer, sizeBytes: number): Buffer {
  if (jpeg.buffer.byteLength === sizeBytes && jpeg.length === sizeBytes) return jpeg;
  const copy = Buffer.allocUnsafeSlow(sizeBytes);
  jpeg.copy(copy, 0, 0, sizeBytes);
  return copy;
}
