import { join } from "node:path";
import { type AgentError, asAgentError, isForWantOfRoom } from "../core/errors.ts";
import { stateLimits } from "../core/limits.ts";
import type { Random, Seams } from "../core/ports.ts";
import { StateFile } from "./state-file.ts";

/** Who this installation is. It stays for the life of the state folder. */
export interface DeviceState {
  readonly deviceId: string;
  /** Starts of the agent, this one included. */
  readonly startCount: number;
}

export interface DeviceStateOptions {
  /** `<data>/state`. */
  readonly folder: string;
  /** From the config: wins over what was generated or given before. */
  readonly deviceId?: string;
  /**
   * True for a command that works on the folder while another process may start there: then nothing is written, but for an
   * identity where there never was one.
   */
  readonly readOnly?: boolean;
}

/**
 * Opens `device.json`, or makes up an identity where there never was one, and counts this start. A full disk, on which
 * an identity is already, costs the count and not the start: what waits on that disk could otherwise never leave it. A file
 * that cannot be read costs the count too, where the config says who this is; it is fatal where only the file knew.
 */
export async function openDeviceState(
  { folder, deviceId, readOnly = false }: DeviceStateOptions,
  { random, log }: Pick<Seams, "random"> & Partial<Pick<Seams, "log">>,
): Promise<StateFile<DeviceState>> {
  const file = await StateFile.open<DeviceState>({
    path: join(folder, "device.json"),
    version: 1,
    bytesMax: stateLimits.deviceBytesMax,
    parse: parseDeviceState,
    irreplaceable: deviceId === undefined,
    initial: () => ({ deviceId: deviceId ?? `device-${base32(random, 8)}`, startCount: 0 }),
    ...(deviceId === undefined || readOnly
      ? {}
      : { onSetAside: (error) => log?.error("device.state_lost", said(error)) }),
  });
  if (readOnly) return file;
  const counted = (state: DeviceState): DeviceState => ({
    deviceId: deviceId ?? state.deviceId,
    startCount: state.startCount + 1,
  });
  try {
    await file.update(counted);
  } catch (error) {
    const failure = asAgentError(error, "counting this start");
    if (!isForWantOfRoom(failure.cause)) throw error;
    log?.warn("device.start_uncounted", said(failure));
  }
  return file;
}

function said({ code, message }: AgentError): { readonly code: string; readonly message: string } {
  return { code, message };
}

/** Without i, l, o and u: it is read from labels and typed by people. */
function base32(random: Random, digits: number): string {
  const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  return Array.from({ length: digits }, () => alphabet.charAt(Math.floor(random() * 32))).join("");
}

function parseDeviceState(value: unknown): DeviceState {
  if (typeof value !== "object" || value === null) throw new Error("it is no device state");
  const { deviceId, startCount } = value as Readonly<Record<string, unknown>>;
  if (typeof deviceId !== "string" || deviceId === "") throw new Error("it has no deviceId");
  if (typeof startCount !== "number") throw new Error("it has no startCount");
  return { deviceId, startCount };
}
