/**
 * What an operator does with the model in use beside a running daemon. Every change takes the same way: the model is
 * loaded in a second vision process, proven there, and only then takes over between two frames; for a while after that it
 * goes back by itself when it fails.
 */
export interface ModelChoice {
  /** `NAME` or `NAME@VERSION` of an installed model. Fails with `MODEL_PINNED`, `MODEL_NOT_FOUND`, or what the proof found. */
  use(reference: string): Promise<ModelChange>;
  /** To the model that was in use before, the one that ships where that is gone. Fails with `MODEL_PINNED`, … */
  rollback(): Promise<ModelChange>;
}

export interface ModelChange {
  /** `NAME@VERSION`; the one that ships has no version. */
  readonly to: string;
  /** Absent where no model was in use. */
  readonly from?: string;
  /** Milliseconds that a run took in the proof: the median. */
  readonly runMs?: number;
  /** For this long it goes back by itself; 0 for one that was in use before. */
  readonly probationMs: number;
  /** What a person should know besides: the model was in use already; the one before is gone, so that the one that ships took over. */
  readonly notes: readonly string[];
}
