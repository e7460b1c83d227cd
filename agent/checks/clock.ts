import { captureLimits } from "../../src/core/capture-limits.ts";
import type { ClockQuality } from "../../src/core/types.ts";
import { type ClockSigns, SystemClockSigns } from "../../src/state/clock-signs.ts";
import type { CommandContext } from "../context.ts";
import type { CheckResult } from "./result.ts";

const check = "clock";
const mend = "sudo timedatectl set-ntp true; timedatectl timesync-status says what it lacks";

/** Records survive a wrong clock; certificates and people do not. */
export async function clockCheck(
  { clock, signal }: Pick<CommandContext, "clock" | "signal">,
  signs: ClockSigns = new SystemClockSigns(),
): Promise<CheckResult> {
  const nowMs = clock.nowMs();
  const now = new Date(nowMs).toISOString();
  if (nowMs < captureLimits.clockPlausibleFromMs) {
    return { check, result: "failed", found: `it was never set: it says ${now}`, mend };
  }
  const marked = signs.markedAtMs() !== undefined;
  const quality = marked ? "synchronised" : await signs.ask(signal);
  signal.throwIfAborted();
  const found = `${now}, ${texts[quality]}`;
  if (quality === "unsynchronised") return { check, result: "warning", found, mend };
  return { check, result: "ok", found };
}

const texts: Readonly<Record<ClockQuality, string>> = {
  synchronised: "set by a time source",
  unsynchronised: "and no time source has set it since the machine was started",
  unknown: "and nothing on this machine tells whether a time source has set it",
};
