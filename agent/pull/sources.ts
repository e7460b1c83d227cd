import type { HttpCaller } from "../../src/link/http.ts";
import type { Platform, PlatformAccount } from "../platforms/platform.ts";
import type { LabelSource } from "./source.ts";

/** A platform that labels can be pulled from. */
export interface PullKind {
  readonly account: PlatformAccount;
  readonly dryAnswer: Platform<never>["dryAnswer"];
  /** `access` has passed the platform's schema. */
  open(access: Readonly<Record<string, unknown>>, link: HttpCaller): LabelSource;
}

export const pullKinds: Readonly<Record<string, PullKind>> = {};
