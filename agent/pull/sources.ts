import type { HttpCaller } from "../../src/link/http.ts";
import { customVisionAccess } from "../../src/targets/customvision/config.ts";
import { v12Url } from "../../src/targets/customvision/limits.ts";
import { iotownLabelAccess } from "../../src/targets/iotown/config.ts";
import { remoLabelAccess } from "../../src/targets/remo/config.ts";
import { customVisionPlatform } from "../platforms/customvision/platform.ts";
import { iotownPlatform } from "../platforms/iotown/platform.ts";
import type { Platform, PlatformAccount } from "../platforms/platform.ts";
import { remoPlatform } from "../platforms/remo/platform.ts";
import { customVisionSource } from "./customvision.ts";
import { dryCustomVision, dryIotown, dryRemo } from "./dry-answers.ts";
import { iotownSource } from "./iotown.ts";
import { remoSource } from "./remo.ts";
import type { LabelSource } from "./source.ts";

/** A platform that labels can be pulled from. */
export interface PullKind {
  readonly account: PlatformAccount;
  /** What it might answer while nothing is sent: one picture of a class. */
  dryAnswer(request: Parameters<Platform<never>["dryAnswer"]>[0], label: string): { status: number; body?: unknown };
  /** `access` has passed the account's schema. */
  open(access: Readonly<Record<string, unknown>>, link: HttpCaller): LabelSource;
}

export const pullKinds: Readonly<Record<string, PullKind>> = {
  iotown: {
    account: { ...iotownPlatform, access: iotownLabelAccess },
    dryAnswer: ({ url }, label) => dryIotown(new URL(url), label),
    open(access, link) {
      return iotownSource(iotownPlatform.connect(access, link), iotownLabelAccess.parse(access));
    },
  },
  remo: {
    account: { ...remoPlatform, access: remoLabelAccess },
    dryAnswer: ({ url }, label) => dryRemo(new URL(url), label),
    open: (access, link) => remoSource(remoPlatform.connect(access, link), remoLabelAccess.parse(access)),
  },
  customvision: {
    account: customVisionPlatform,
    dryAnswer: ({ url }, label) => dryCustomVision(new URL(url), label),
    open(access, link) {
      const { url = v12Url, projectId } = customVisionAccess.parse(access);
      return customVisionSource(customVisionPlatform.connect(access, link), url, projectId);
    },
  },
};
