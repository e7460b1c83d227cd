import { discoveryLimits } from "../../core/remote-limits.ts";
import { groupOf, type Control, type EntityGroup, type EntityPlan, type Offer } from "./entity.ts";
import type { CameraReading, DeviceReading, Reading, TargetReading } from "./reading.ts";

/** The table of all entities: what Home Assistant shows of the device, of each camera and of each target. */

const diagnostic = { entity_category: "diagnostic" } as const;
const megabytes = { device_class: "data_size", state_class: "measurement", unit_of_measurement: "MB" } as const;
const settable = { entity_category: "config" } as const;

const camera: readonly EntityPlan<CameraReading>[] = [
  {
    ...{ key: "connection", name: "connection", platform: "binary_sensor" },
    options: () => ({ device_class: "connectivity", ...diagnostic }),
    value: ({ connected }) => onOff(connected),
  },
  {
    ...{ key: "problem", name: "problem", platform: "binary_sensor" },
    options: () => ({ device_class: "problem", ...diagnostic }),
    value: ({ problem }) => onOff(problem),
  },
  {
    ...{ key: "lastFrame", name: "last frame", platform: "sensor", drifts: true },
    options: () => ({ device_class: "timestamp" }),
    value: ({ lastFrameAtMs }) => (lastFrameAtMs === null ? null : new Date(lastFrameAtMs).toISOString()),
  },
  {
    ...{ key: "objects", name: "objects", platform: "sensor" },
    options: () => ({ state_class: "measurement", unit_of_measurement: "objects" }),
    value: ({ objects }) => objects,
  },
  { key: "picture", name: "picture", platform: "image", options: () => ({ content_type: "image/jpeg" }) },
  {
    ...{ key: "capture", name: "capture", platform: "switch" },
    value: ({ capturing }) => (capturing === undefined ? undefined : onOff(capturing)),
    control: ({ id }) => switched("capture.resume", "capture.pause", { camera: id }),
  },
  {
    ...{ key: "interval", name: "interval", platform: "number" },
    options: () => ({
      ...{ device_class: "duration", unit_of_measurement: "s", mode: "box", ...settable },
      ...{ min: 0, max: discoveryLimits.intervalSecondsMax, step: 0.1 },
    }),
    value: ({ intervalMs }) => (intervalMs === undefined ? undefined : intervalMs / 1_000),
    control: ({ id }) => ({
      commands: ["capture.set"],
      request: (payload) => ({ command: "capture.set", args: { camera: id, intervalMs: millisecondsOf(payload) } }),
    }),
  },
  {
    ...{ key: "snapshot", name: "snapshot", platform: "button" },
    control: ({ id }) => pressed("snapshot", { camera: id }),
  },
];

const target: readonly EntityPlan<TargetReading>[] = [
  {
    ...{ key: "connection", name: "connection", platform: "binary_sensor" },
    options: () => ({ device_class: "connectivity", ...diagnostic }),
    value: ({ connected }) => (connected === null ? null : onOff(connected)),
  },
  {
    ...{ key: "upload", name: "upload", platform: "switch" },
    value: ({ uploading }) => (uploading === undefined ? undefined : onOff(uploading)),
    control: ({ id }) => switched("upload.resume", "upload.pause", { target: id }),
  },
];

const device: readonly EntityPlan<DeviceReading>[] = [
  {
    ...{ key: "problem", name: "problem", platform: "binary_sensor" },
    options: () => ({ device_class: "problem", ...diagnostic }),
    value: ({ problem }) => onOff(problem),
  },
  {
    ...{ key: "queue", name: "queue length", platform: "sensor", drifts: true },
    options: () => ({ state_class: "measurement", unit_of_measurement: "records", ...diagnostic }),
    value: ({ queued }) => queued,
  },
  {
    ...{ key: "oldest", name: "oldest in queue", platform: "sensor", drifts: true },
    options: () => ({ device_class: "duration", state_class: "measurement", unit_of_measurement: "s", ...diagnostic }),
    value: ({ oldestAgeMs }) => scaled(oldestAgeMs, 1_000),
  },
  {
    ...{ key: "sent", name: "sent", platform: "sensor", drifts: true },
    options: () => ({ state_class: "total_increasing", unit_of_measurement: "records", ...diagnostic }),
    value: ({ sent }) => sent,
  },
  {
    ...{ key: "quarantined", name: "quarantined", platform: "sensor", drifts: true },
    options: () => ({ state_class: "measurement", unit_of_measurement: "records", ...diagnostic }),
    value: ({ quarantined }) => quarantined,
  },
  {
    ...{ key: "inference", name: "inference", platform: "sensor", drifts: true },
    options: () => ({ device_class: "duration", state_class: "measurement", unit_of_measurement: "ms", ...diagnostic }),
    value: ({ inferenceMs }) => scaled(inferenceMs, 1),
  },
  {
    ...{ key: "disk", name: "disk free", platform: "sensor", drifts: true },
    options: () => ({
      device_class: "data_size",
      state_class: "measurement",
      unit_of_measurement: "GB",
      ...diagnostic,
    }),
    value: ({ diskFreeBytes }) => scaled(diskFreeBytes, 1e9),
  },
  {
    ...{ key: "memory", name: "memory", platform: "sensor", drifts: true },
    options: () => ({ ...megabytes, ...diagnostic }),
    value: ({ memoryBytes }) => Math.round(memoryBytes / 1e6),
  },
  {
    ...{ key: "dayLeft", name: "upload left today", platform: "sensor", drifts: true },
    options: () => ({ ...megabytes, ...diagnostic }),
    value: ({ dayBytesLeft }) => scaled(dayBytesLeft, 1e6),
  },
  {
    ...{ key: "monthLeft", name: "upload left this month", platform: "sensor", drifts: true },
    options: () => ({ ...megabytes, ...diagnostic }),
    value: ({ monthBytesLeft }) => scaled(monthBytesLeft, 1e6),
  },
  {
    ...{ key: "temperature", name: "temperature", platform: "sensor", drifts: true },
    options: () => ({
      ...{ device_class: "temperature", state_class: "measurement", unit_of_measurement: "°C", ...diagnostic },
    }),
    value: ({ temperatureCelsius }) => scaled(temperatureCelsius, 1),
  },
  {
    ...{ key: "threshold", name: "threshold", platform: "number" },
    options: () => ({ mode: "box", min: 0.05, max: 1, step: 0.01, ...settable }),
    value: ({ threshold }) => threshold,
    control: () => ({
      commands: ["detect.set"],
      request: (payload) => ({ command: "detect.set", args: { threshold: numberOf(payload) } }),
    }),
  },
  {
    ...{ key: "model", name: "model", platform: "select" },
    options: ({ models = [] }) => ({ options: models, ...settable }),
    value: ({ model, models }) => (models === undefined ? undefined : (model ?? null)),
    control: () => ({
      commands: ["model.select"],
      request: (payload) => ({ command: "model.select", args: { model: payload } }),
    }),
  },
  {
    ...{ key: "fetch", name: "fetch model", platform: "button" },
    isOffered: ({ updates = false }) => updates,
    options: () => settable,
    control: () => pressed("model.fetch", {}),
  },
  {
    ...{ key: "flush", name: "flush queue", platform: "button" },
    control: () => pressed("queue.flush", {}),
  },
  {
    ...{ key: "restart", name: "restart", platform: "button" },
    options: () => ({ device_class: "restart", ...settable }),
    control: () => pressed("restart", {}),
  },
];

/** In the order in which they are announced. */
export function entityGroups(reading: Reading, offer: Offer): readonly EntityGroup[] {
  return [
    groupOf({ name: "device", title: "" }, device, reading.device, offer),
    ...reading.cameras.map((each) =>
      groupOf({ name: `camera_${each.id}`, title: `Camera ${each.id}`, cameraId: each.id }, camera, each, offer),
    ),
    ...reading.targets.map((each) =>
      groupOf({ name: `target_${each.id}`, title: `Target ${each.id}` }, target, each, offer),
    ),
  ];
}

function onOff(is: boolean): "ON" | "OFF" {
  return is ? "ON" : "OFF";
}

/** To one decimal place; what is not there, or not known, stays so. */
function scaled(value: number | null | undefined, by: number): number | null | undefined {
  return typeof value === "number" ? Math.round((value / by) * 10) / 10 : value;
}

function switched(on: string, off: string, args: Readonly<Record<string, unknown>>): Control {
  return {
    commands: [on, off],
    request(payload) {
      if (payload === "ON") return { command: on, args };
      return { command: off, args: payload === "OFF" ? args : { ...args, payload } };
    },
  };
}

function pressed(command: string, args: Readonly<Record<string, unknown>>): Control {
  return {
    commands: [command],
    request: (payload) => ({ command, args: payload === "PRESS" ? args : { ...args, payload } }),
  };
}

function numberOf(payload: string): number | string {
  return /^-?\d{1,9}(\.\d{1,9})?$/.test(payload) ? Number(payload) : payload;
}

function millisecondsOf(payload: string): number | string {
  const seconds = numberOf(payload);
  return typeof seconds === "number" ? Math.round(seconds * 1_000) : seconds;
}
