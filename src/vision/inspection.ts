/** What can be told of a loaded model beyond its detections, and of the process that runs it. */

export interface TensorReport {
  readonly name: string;
  readonly type: string;
  /** A text stands for a size that the file leaves open. */
  readonly shape: readonly (number | string)[];
}

export interface OutputReport extends TensorReport {
  /** As it came out for this picture. */
  readonly dims: readonly number[];
  /** Values that are no numbers: they make every result worthless. */
  readonly notFinite: number;
}

/** One picture through the model. */
export interface ModelRun {
  readonly threads: number;
  readonly inputs: readonly TensorReport[];
  readonly outputs: readonly OutputReport[];
  /** The highest score of any box, far below every threshold too; 0 when there is none. */
  readonly scoreMax: number;
}

/** How the weights are stored and what the arithmetic is done in. */
export type Precision =
  "float32" | "float16" | "int8 static" | "int8 dynamic" | "int8 weights only" | "int4 weights only";

/** What the ONNX file holds, apart from its weights' values. */
export interface GraphFacts {
  readonly opset: number;
  readonly precision: Precision;
  readonly nodes: number;
  /** Values in all weights together. */
  readonly parameters: number;
}

export interface Inspection extends ModelRun {
  readonly loadMs: number;
  /** What the file says of itself, without the labels; long texts are cut. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Absent where the graph cannot be followed. */
  readonly graph?: GraphFacts;
}

export interface ProcessUsage {
  readonly rssBytes: number;
  readonly rssPeakBytes: number;
  /** Of all its threads, since it started. */
  readonly cpuMs: number;
}
