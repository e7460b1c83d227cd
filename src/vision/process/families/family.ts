import type { Point } from "../../../core/types.ts";
import type { PerChannel, Reading } from "../../config.ts";
import type { Fit } from "../letterbox.ts";
import type { Candidates, Outlined } from "../nms.ts";

/**
 * A family is a way of reading detections from a model's outputs. Each is one file that knows its own sign and its own
 * decode, and nothing of the others; `registry.ts` lists them.
 */

export interface TensorFacts {
  readonly name: string;
  readonly type: string;
  /** A text stands for a size that the file leaves open. */
  readonly shape: readonly (number | string)[];
}

/** Everything about a model file that recognition may look at. */
export interface Signature {
  readonly inputs: readonly TensorFacts[];
  readonly outputs: readonly TensorFacts[];
  readonly metadata: ReadonlyMap<string, string>;
  /** From the manifest or the file's metadata, in class order. */
  readonly labels: readonly string[] | undefined;
  /** Undefined when the file leaves it open and nothing else says it. */
  readonly input: InputSize | undefined;
  /** What the manifest says about the outputs. */
  readonly reading?: Reading;
}

export interface InputSize {
  readonly width: number;
  readonly height: number;
}

/**
 * `sure`: the outputs are this family's and no other's. `likely`: their form fits, and so may another's; the values that
 * the model gives for an empty picture can prove it (`doubt`). `possible`: only a manifest can decide. Undefined: they
 * are not.
 */
export type Certainty = "sure" | "likely" | "possible";

export interface Sign {
  readonly certainty: Certainty;
  readonly classes: number;
}

/** How the models of a family are usually fed and filtered, unless the manifest says otherwise. */
export interface Defaults {
  readonly mean: PerChannel;
  readonly std: PerChannel;
  readonly order: "rgb" | "bgr";
  readonly fit: Fit;
  readonly pad: number;
  readonly threshold: number;
  /** 1 for a family whose outputs are final. */
  readonly nmsIou: number;
  /** What a model of so many classes finds, where neither the file nor a manifest names them: families for one purpose. */
  readonly labels?: readonly string[];
}

/** Whole numbers are handed over as floats too: class numbers and counts are far below 2^24. */
export interface OutputTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export type Outputs = ReadonlyMap<string, OutputTensor>;

export interface DecodeContext {
  readonly classes: number;
  readonly inputWidth: number;
  readonly inputHeight: number;
  readonly scoreMin: number;
  /** What the manifest says about the outputs; a family reads what concerns it. */
  readonly reading: Reading;
}

/** An input beside the picture, the same for every frame. */
export interface ConstantInput {
  readonly name: string;
  readonly data: BigInt64Array | Float32Array;
  readonly dims: readonly number[];
}

/** Recognised, so that its files are refused by name instead of being taken for something else. */
export interface KnownFamily {
  readonly name: string;
  sign(signature: Signature): Sign | undefined;
}

export interface Family extends KnownFamily {
  readonly defaults: Defaults;
  /** Adds every box with its score and class, edges in input pixels. Throws `MODEL_OUTPUT` when a shape is not as it must be. */
  decode(outputs: Outputs, context: DecodeContext, into: Candidates): void;
  /** What the model wants beside the picture. */
  constants?(signature: Signature, input: InputSize): readonly ConstantInput[];
  /**
   * Looks at the outputs of an empty picture: what speaks against this family, or undefined. Where its own sign was only
   * `likely` they have to prove it. Not asked where a manifest names the family.
   */
  doubt?(outputs: Outputs, context: DecodeContext, certainty?: Certainty): string | undefined;
  /**
   * Looks at the outputs of an empty picture and says which of several ways of reading them holds, where their shapes do
   * not tell; it may answer with itself. Throws `MODEL_UNKNOWN_FAMILY` where none is certain. Not asked where a
   * manifest names the family.
   */
  variant?(outputs: Outputs, context: DecodeContext): Family;
  /** The outline of a candidate, in input pixels; `row` is what `decode` added it with. Asked only for those that stay. */
  outline?(outputs: Outputs, context: DecodeContext, candidate: Outlined): readonly Point[] | undefined;
}
