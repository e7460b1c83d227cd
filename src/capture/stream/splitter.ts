/** Bytes of a continuous stream in, whole frames out; between the two lies memory for one frame at most. */
export interface FrameSplitter {
  push(chunk: Buffer): void;
}
