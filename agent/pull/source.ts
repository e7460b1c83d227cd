import type { Box, Point } from "../../src/core/types.ts";

/** What a platform holds of pictures that people have labelled. */
export interface LabelSource {
  /**
   * The same for the same data, and for no other: a folder is filled from one source only. For example
   * `iotown https://town.example`. Holds no secret.
   */
  readonly origin: string;
  /** Every picture with at least one label of `classes`; labels of other classes may come along. */
  list(classes: readonly string[], signal: AbortSignal): Promise<readonly SourceImage[]>;
}

export interface SourceImage {
  /** The platform's own, for people and, made harmless, for the file's name. */
  readonly id: string;
  readonly boxes: readonly SourceBox[];
  /** The picture's bytes, as the platform gives them. Fails with an AgentError. */
  fetch(signal: AbortSignal): Promise<Buffer>;
}

export interface SourceBox {
  readonly label: string;
  /** `fraction`: of the picture's width and height. The origin is the top left corner. */
  readonly unit: "fraction" | "pixel";
  readonly box: Box;
  readonly polygon?: readonly Point[];
}
