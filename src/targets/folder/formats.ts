import type { Box, Point } from "../../core/types.ts";

/** One image with its boxes, ready to be written in any format. */
export interface Example {
  /** From 1, ascending. Of a folder target the line: the same in every export, because lines are only ever appended. */
  readonly imageId: number;
  readonly image: ExampleImage;
  readonly boxes: readonly ExampleBox[];
}

export interface ExampleImage {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** ISO 8601, UTC; absent where nobody knows. */
  readonly capturedAt?: string;
  /** Of what is hidden in its picture; absent where nothing is. */
  readonly maskVersion?: string;
}

export interface ExampleBox {
  readonly label: string;
  /** Position in the list of classes, from 0. */
  readonly classIndex: number;
  /** Absent where a person has drawn it. */
  readonly score?: number;
  /** Inside the image, never empty. */
  readonly box: Box;
  readonly polygon?: readonly Point[];
}

/** How one format lies on disk. `add` is called once for each image, in the order of the lines. */
export interface DatasetFormat {
  /** Where images go, relative to the destination. */
  readonly imagesFolder: string;
  start(to: string, classes: readonly string[]): Promise<void>;
  add(example: Example): Promise<void>;
  finish(): Promise<void>;
  /** Frees what is open after a failure. */
  abandon(): Promise<void>;
}

/** `a.b.jpg` → `a.b`. */
export function stemOf(name: string): string {
  return name.replace(/\.[^.]*$/, "");
}
