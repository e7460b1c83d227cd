import type { HttpCaller } from "../../src/link/http.ts";
import { iotownPlatform } from "../platforms/iotown.ts";
import type { Platform, PlatformAccount } from "../platforms/platform.ts";
import { iotownSource } from "./iotown.ts";
import type { LabelSource } from "./source.ts";

/** A platform that labels can be pulled from. */
export interface PullKind {
  readonly account: PlatformAccount;
  readonly dryAnswer: Platform<never>["dryAnswer"];
  /** `access` has passed the platform's schema. */
  open(access: Readonly<Record<string, unknown>>, link: HttpCaller): LabelSource;
}

export const pullKinds: Readonly<Record<string, PullKind>> = {
  iotown: {
    account: iotownPlatform,
    dryAnswer: (request) => iotownPlatform.dryAnswer(request),
    open: (access, link) => iotownSource(iotownPlatform.connect(access, link), String(access["url"])),
  },
};
