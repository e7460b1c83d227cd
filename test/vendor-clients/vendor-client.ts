import type { Json } from "./fixture.ts";
import type { Answers } from "./recorder.ts";

/** One call of a vendor's client. `operation` is what the driver script knows it by. */
export interface VendorCase {
  readonly name: string;
  readonly call: string;
  readonly operation: string;
  readonly input: Json;
}

/** A client in one version, its driver script, and what the server under it answers. */
export interface VendorClient {
  readonly kind: string;
  /** Names the folder of its fixtures: `<package>-<version>`. */
  readonly id: string;
  readonly name: string;
  readonly language: "python" | "javascript";
  readonly driver: string;
  readonly cases: readonly VendorCase[];
  /** Fresh answers for one case. */
  answers(input: Json): Answers;
}
