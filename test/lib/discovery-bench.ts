import type { Clock } from "../../src/core/clock.ts";
import type { MqttMessage } from "../../src/link/mqtt-subscription.ts";
import { remoteConfig, type RemoteConfig } from "../../src/remote/config.ts";
import { ControlLink } from "../../src/remote/control-link.ts";
import { Discovery } from "../../src/remote/discovery/discovery.ts";
import type { CameraReading, Reading } from "../../src/remote/discovery/reading.ts";
import { Topics } from "../../src/remote/topics.ts";
import { handmadeJpeg } from "./jpegs.ts";
import { linkSeams } from "./mqtt.ts";

/** Every command that an entity uses. */
export const entityCommands: readonly string[] = [
  ...["snapshot", "capture.pause", "capture.resume", "capture.set", "detect.set"],
  ...["upload.pause", "upload.resume", "queue.flush", "restart", "model.select", "model.fetch"],
];

export interface Taken {
  readonly topic: string;
  readonly body: unknown;
  readonly retain: boolean;
  readonly cameOn: string;
}

export interface DiscoveryBenchOptions {
  readonly stateFolder: string;
  readonly settings?: Partial<RemoteConfig["homeAssistant"]>;
  readonly protocol?: RemoteConfig["protocol"];
  readonly commands?: readonly string[];
  readonly clock?: Clock;
}

export function cameraReading(id: string, more: Partial<CameraReading> = {}): CameraReading {
  const seen = { lastFrameAtMs: Date.UTC(2026, 0, 1), objects: 2 };
  return { id, connected: true, problem: false, ...seen, capturing: true, intervalMs: 5_000, ...more };
}

/** Everything that can be shown. */
export function fullReading(...cameras: readonly CameraReading[]): Reading {
  const queue = { queued: 3, oldestAgeMs: 4_200, sent: 10, quarantined: 1 };
  const machine = { memoryBytes: 2e8, diskFreeBytes: 5.55e9, temperatureCelsius: 47.5 };
  const model = { threshold: 0.5, model: "bees@1", models: ["bees@1", "wasps@2"], updates: true };
  return {
    device: { problem: false, ...queue, inferenceMs: 12.34, ...machine, ...model },
    cameras: cameras.length === 0 ? [cameraReading("front")] : cameras,
    targets: [{ id: "cloud", connected: true, uploading: true }],
  };
}

/** A device without an agent, at a real broker: what it shows is `reading`, and what it is told lies in `taken`. */
export class DiscoveryBench {
  readonly taken: Taken[] = [];
  readonly pictures = new Map<string, Buffer>();
  /** Bytes of each copy that the stand-in for the vision process makes, in turn; the last one goes on. */
  copyBytes: number[] = [1_000];
  reading: Reading = fullReading();
  readonly seams;
  readonly link: ControlLink;
  readonly discovery: Discovery;

  constructor(url: string, options: DiscoveryBenchOptions) {
    const { stateFolder, settings = {}, protocol = "auto", commands = entityCommands } = options;
    const recording = linkSeams();
    this.seams = { ...recording, ...(options.clock === undefined ? {} : { clock: options.clock }) };
    const config = remoteConfig.parse({ url, protocol });
    const topics = new Topics(config.root, "gw");
    this.discovery = new Discovery(
      {
        ...{ stateFolder, settings: { ...config.homeAssistant, ...settings }, commands: new Set(commands) },
        announced: { root: config.root, device: "gw", version: "1.2.3", topics },
        source: { read: async () => this.reading, pictures: this.#pictureSource() },
        link: {
          isPresent: () => this.link.isPresent(),
          packetBytesMax: () => this.link.packetBytesMax(),
          keep: (...message) => this.link.keep(...message),
        },
        take: async (message, cameOn) => this.#take(message, cameOn),
      },
      this.seams,
    );
    this.link = new ControlLink(
      {
        ...{ config, device: "gw", topics, onRequest: async () => undefined, kept: () => new Map() },
        ...{ instance: "bench", sealed: (_, data) => data },
        listeners: this.discovery.listeners(),
        onPresent: () => this.discovery.connected(),
        timing: { reconnectFirstMaxMs: 50, reconnectFirstMs: 20, reconnectMaxMs: 100 },
      },
      recording,
    );
  }

  async start(): Promise<this> {
    await this.discovery.start();
    this.link.start();
    return this;
  }

  /** What is shown from now on; it is looked for at once. */
  show(reading: Reading): void {
    this.reading = reading;
    this.discovery.hurry();
  }

  async stop(): Promise<void> {
    await this.discovery.stop();
    await this.link.stop();
  }

  #take({ topic, payload, retain }: MqttMessage, cameOn: string): void {
    this.taken.push({ topic, body: JSON.parse(payload.toString()) as unknown, retain, cameOn });
  }

  #pictureSource() {
    return {
      next: (cameraId: string) => {
        const jpeg = this.pictures.get(cameraId);
        this.pictures.delete(cameraId);
        return jpeg;
      },
      thumbnail: async () => {
        const bytes = this.copyBytes.length > 1 ? this.copyBytes.shift() : this.copyBytes[0];
        const jpeg = handmadeJpeg(64, 48);
        const padding = Buffer.alloc(Math.max(0, (bytes ?? 0) - jpeg.length));
        return { jpeg: Buffer.concat([jpeg.subarray(0, -2), padding, jpeg.subarray(-2)]), width: 64, height: 48 };
      },
    };
  }
}
