import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Clock } from "../../src/core/clock.ts";
import { captureLimits } from "../../src/core/capture-limits.ts";
import { dayMs } from "../../src/core/units.ts";
import type { CertificateFigure } from "../../src/health/metric.ts";
import { endpointsOf } from "../checks/endpoints.ts";
import type { FramepostConfig } from "../config-schema.ts";

interface CertificateEnd {
  /** `web`, or what shows it to a server: `target iotown`, `remote`. */
  readonly user: string;
  readonly endsAtMs: number;
}

/** How long this device's own certificates are good for. Their files are read by the first who asks, and then daily. */
export class Certificates {
  readonly #files: readonly (readonly [user: string, file: string])[];
  readonly #clock: Clock;
  #ends: readonly CertificateEnd[] = [];
  #readAtMs = -Infinity;

  constructor(config: Pick<FramepostConfig, "web" | "remote" | "targets">, clock: Clock) {
    const { enabled, tls } = config.web;
    const shown = endpointsOf(config).map(({ user, tls: settings }) => [user, settings?.cert] as const);
    const all = [["web", enabled ? tls?.cert : undefined] as const, ...shown];
    this.#files = all.flatMap(([user, file]) => (file === undefined ? [] : [[user, file] as const]));
    this.#clock = clock;
  }

  /** Below 0 once one has ended. Of files that cannot be read, and by a clock that was never set, nothing is known. */
  async daysLeft(): Promise<readonly CertificateFigure[]> {
    const nowMs = this.#clock.nowMs();
    if (nowMs < captureLimits.clockPlausibleFromMs) return [];
    await this.#readDaily();
    const soonest = new Map<string, number>();
    for (const { user, endsAtMs } of this.#ends) {
      soonest.set(user, Math.min(soonest.get(user) ?? Infinity, (endsAtMs - nowMs) / dayMs));
    }
    return [...soonest].map(([user, daysLeft]) => ({ user, daysLeft }));
  }

  async #readDaily(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#readAtMs + dayMs) return;
    this.#readAtMs = nowMs;
    const read = await Promise.all(this.#files.map(async ([user, file]) => ({ user, endsAtMs: await endOf(file) })));
    this.#ends = read.filter(({ endsAtMs }) => !Number.isNaN(endsAtMs));
  }
}

/** Of the first certificate in the file, which is the device's own. */
async function endOf(file: string): Promise<number> {
  try {
    return Date.parse(new X509Certificate(await readFile(file)).validTo);
  } catch {
    return NaN;
  }
}
