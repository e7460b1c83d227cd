import type { Clock } from "../../src/core/clock.ts";
import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { isObject } from "../../src/remote/reply.ts";
import { jsonOf } from "./reply-message.ts";

/** What the retained topics of a device say. */
export interface DeviceFacts {
  readonly device: string;
  /** Undefined: it has never said. */
  readonly online?: boolean;
  readonly version?: string;
  readonly groups: readonly string[];
  /** `ok` or `degraded`. */
  readonly state?: string;
  /** Deliveries that are still owed, over all targets. */
  readonly pending?: number;
  /** By the device's own clock. */
  readonly statusAtMs?: number;
  readonly clockIsRight?: boolean;
  /** When it said its status. */
  readonly lastUploadAgeMs?: number;
}

/** Collects what devices keep at the broker. */
export class KnownDevices {
  readonly #clock: Clock;
  readonly #facts = new Map<string, DeviceFacts>();
  #heardMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#heardMs = clock.monotonicMs();
  }

  take({ topic, payload }: MqttMessage): void {
    const [device, kind] = topic.split("/").slice(-2);
    if (device === undefined || payload.length === 0) return;
    this.#heardMs = this.#clock.monotonicMs();
    const before = this.#facts.get(device) ?? { device, groups: [] };
    if (kind === "availability") this.#facts.set(device, { ...before, online: payload.toString() === "online" });
    if (kind === "info") this.#facts.set(device, { ...before, ...infoOf(jsonOf(payload)) });
    if (kind === "status") this.#facts.set(device, { ...withoutStatus(before), ...statusOf(jsonOf(payload)) });
  }

  list(): readonly DeviceFacts[] {
    return [...this.#facts.values()].sort((one, other) => (one.device < other.device ? -1 : 1));
  }

  inGroup(group: string): readonly DeviceFacts[] {
    return this.list().filter(({ groups }) => groups.includes(group));
  }

  /** When nothing has come for a moment: no broker says which kept message is the last one. */
  async collected(signal: AbortSignal): Promise<void> {
    const beganMs = this.#clock.monotonicMs();
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      const quietMs = nowMs - Math.max(this.#heardMs, beganMs);
      if (quietMs >= quietEnoughMs || nowMs - beganMs >= collectingMaxMs) return;
      await this.#clock.sleep(quietEnoughMs - quietMs, signal);
    }
  }
}

const quietEnoughMs = 300;
const collectingMaxMs = 15_000;

/** What the last status had and this one has not is over. */
function withoutStatus({ device, online, version, groups }: DeviceFacts): DeviceFacts {
  return {
    ...{ device, groups },
    ...(online === undefined ? {} : { online }),
    ...(version === undefined ? {} : { version }),
  };
}

function infoOf(value: unknown): Pick<DeviceFacts, "version" | "groups"> {
  if (!isObject(value)) return { groups: [] };
  const { version, groups } = value;
  return {
    ...(typeof version === "string" ? { version } : {}),
    groups: Array.isArray(groups) ? groups.filter((group) => typeof group === "string") : [],
  };
}

function statusOf(value: unknown): Partial<DeviceFacts> {
  if (!isObject(value)) return {};
  const { state, targets, clock } = value;
  const { atMs, quality } = isObject(clock) ? clock : {};
  const each = isObject(targets) ? Object.values(targets).filter(isObject) : [];
  const numbers = (key: string) => each.map((target) => target[key]).filter((one) => typeof one === "number");
  const uploads = numbers("lastAcceptedAgeMs");
  return {
    ...(typeof state === "string" ? { state } : {}),
    ...(typeof atMs === "number" ? { statusAtMs: atMs } : {}),
    ...(quality === "synchronised" ? { clockIsRight: true } : {}),
    ...(isObject(targets) ? { pending: numbers("pending").reduce((sum, one) => sum + one, 0) } : {}),
    ...(uploads.length === 0 ? {} : { lastUploadAgeMs: Math.min(...uploads) }),
  };
}
