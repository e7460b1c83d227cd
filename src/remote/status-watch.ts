import { asAgentError } from "../core/errors.ts";
import { remoteLimits } from "../core/limits.ts";
import type { Seams } from "../core/ports.ts";
import type { DeviceEvent } from "./event.ts";
import { healthEvents, type HealthLook, keptEvent, stateKey } from "./health-events.ts";

export interface StatusWatchParts {
  /** Without asking the spool: it happens all the time. */
  readonly look: () => HealthLook;
  readonly info: () => object;
  readonly status: () => Promise<object>;
  readonly statusEveryMs: number;
  /** Publishes, or notes for the next connect. */
  readonly tell: (report: "info" | "status", value: object, signal: AbortSignal) => Promise<void>;
  readonly event: (event: DeviceEvent) => void;
  /** While it is not, kept records are not told: in a long outage they would take the place of all that matters more. */
  readonly isConnected: () => boolean;
}

/** Tells how the device is: at once when its state changes, else every now and then; and what has happened meanwhile. */
export class StatusWatch {
  readonly #parts: StatusWatchParts;
  readonly #seams: Seams;
  #info = "";

  constructor(parts: StatusWatchParts, seams: Seams) {
    this.#parts = parts;
    this.#seams = seams;
  }

  /** Until `signal` aborts; never fails. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#seams;
    const { statusEveryMs, event, isConnected } = this.#parts;
    // What is wrong from the start is news, too.
    let last: HealthLook = { ...this.#parts.look(), ...nothingYet };
    let lastTold: { readonly key: string; readonly atMs: number } | undefined;
    let wasConnected = true;
    let lastKept = { look: last, atMs: -Infinity };
    while (!signal.aborted) {
      const look = withModelOf(last, this.#parts.look());
      const nowMs = clock.monotonicMs();
      for (const each of healthEvents(last, look)) event(each);
      const connected = isConnected();
      if (nowMs - lastKept.atMs >= remoteLimits.keptEventEveryMs && connected) {
        const kept = keptEvent(lastKept.look, look);
        if (kept !== undefined) event(kept);
        if (kept !== undefined) lastKept = { look, atMs: nowMs };
      }
      const key = stateKey(look);
      // After an outage what was said at the connect is old, and this broker may take less.
      const isBack = connected && !wasConnected;
      if (isBack || lastTold?.key !== key || nowMs - lastTold.atMs >= statusEveryMs) {
        await this.#tell(signal);
        lastTold = { key, atMs: nowMs };
      }
      last = look;
      wasConnected = connected;
      await clock.sleep(Math.min(remoteLimits.statusLookMs, statusEveryMs), signal).catch(() => undefined);
    }
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { info, status, tell } = this.#parts;
    try {
      const infoNow = info();
      const text = JSON.stringify(infoNow);
      if (text !== this.#info) await tell("info", infoNow, signal);
      this.#info = text;
      await tell("status", await status(), signal);
    } catch (error) {
      const { code, message } = asAgentError(error, "telling the status");
      this.#seams.log.warn("remote.status_failed", { code, error: message });
    }
  }
}

const nothingYet = { cameras: [], targets: [], lastRollback: "", spoolFull: false, keptByRule: {} } as const;

/** While the detector is away, or only starting, it has no model: coming back with the same one is no switch. */
function withModelOf({ detector: { model } }: HealthLook, look: HealthLook): HealthLook {
  if (model === undefined || look.detector.model !== undefined) return look;
  return { ...look, detector: { ...look.detector, model } };
}
