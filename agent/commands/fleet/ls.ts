import type { CommandContext } from "../../context.ts";
import { exitCodes, type ExitCode } from "../../exit-codes.ts";
import { fleetBrokerOf } from "../../fleet/broker.ts";
import { knownDevices } from "../../fleet/conversation.ts";
import type { DeviceFacts } from "../../fleet/known-devices.ts";
import { counted, textTable } from "../../terminal.ts";

/** Every device that keeps something at the broker, by name. With `--json` a line each, then `{"devices":n,"online":n}`. */
export async function fleetList(context: CommandContext, { group }: { readonly group?: string }): Promise<ExitCode> {
  const { terminal, json, clock } = context;
  const known = await knownDevices(context, await fleetBrokerOf(context));
  const devices = group === undefined ? known.list() : known.inGroup(group);
  const nowMs = clock.nowMs();
  const online = devices.filter((device) => device.online === true).length;
  if (json) {
    for (const device of devices) terminal.data(JSON.stringify({ ...device, ...ages(device, nowMs) }));
    terminal.data(JSON.stringify({ devices: devices.length, online }));
    return exitCodes.ok;
  }
  const head = ["device", "", "state", "version", "groups", "owed", "last upload", "silent for"];
  if (devices.length > 0)
    textTable(
      head,
      devices.map((device) => rowOf(device, nowMs)),
    ).forEach((line) => terminal.data(line));
  if (known.list().length === 0) {
    terminal.note(
      "no device keeps anything at this broker that this account may read; docs/fleet.md says what it needs",
    );
  }
  terminal.note(`${counted(devices.length, "device")}, ${online} online`);
  return exitCodes.ok;
}

function rowOf(device: DeviceFacts, nowMs: number): readonly (string | number)[] {
  const { online, state, version, groups, pending, clockIsRight } = device;
  const { silentMs, lastUploadMs } = ages(device, nowMs);
  // Of a device whose clock may be wrong nobody knows better.
  const mark = clockIsRight === true ? "" : "~";
  return [
    device.device,
    online === undefined ? "unknown" : online ? "online" : "offline",
    state ?? "-",
    version ?? "-",
    groups.join(",") || "-",
    pending ?? "-",
    lastUploadMs === undefined ? "-" : `${mark}${durationText(lastUploadMs)} ago`,
    silentMs === undefined ? "-" : `${mark}${durationText(silentMs)}`,
  ];
}

/** By two clocks, so that they can be no better than these agree. */
function ages(
  { statusAtMs, lastUploadAgeMs }: DeviceFacts,
  nowMs: number,
): { readonly silentMs?: number; readonly lastUploadMs?: number } {
  if (statusAtMs === undefined) return {};
  const silentMs = Math.max(0, nowMs - statusAtMs);
  return { silentMs, ...(lastUploadAgeMs === undefined ? {} : { lastUploadMs: silentMs + lastUploadAgeMs }) };
}

/** `12s`, `5m`, `3h`, `8d`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}
