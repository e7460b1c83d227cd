import type { HttpCaller } from "../../src/link/http.ts";
import { iotownLabelAccess } from "../../src/targets/iotown/config.ts";
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
    account: { ...iotownPlatform, access: iotownLabelAccess },
    dryAnswer(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (!pathname.endsWith("/nn/images")) return iotownPlatform.dryAnswer(request);
      const label = { name: searchParams.get("labels"), x: 0.5, y: 0.5, w: 0.5, h: 0.5 };
      return { status: 200, body: { result: [{ id: "<id>", labels: [label] }] } };
    },
    open(access, link) {
      const { url, boxOrigin } = iotownLabelAccess.parse(access);
      return iotownSource(iotownPlatform.connect(access, link), { url, boxOrigin });
    },
  },
};
