import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Seams } from "../../../src/core/ports.ts";
import type { MqttMessage } from "../../../src/link/mqtt-subscription.ts";
import { remoteConfig } from "../../../src/remote/config.ts";
import type { Addressee } from "../../../src/remote/topics.ts";
import { mqttTargetConfig } from "../../../src/targets/mqtt/config.ts";
import type { FleetBroker } from "../broker.ts";
import { Operator } from "../operator.ts";
import { Replies } from "../replies.ts";
import { ConnectLog } from "./connect-log.ts";
import { LightDevice } from "./light-device.ts";
import { Receiver } from "./receiver.ts";

export interface SimulationOptions {
  readonly broker: FleetBroker;
  readonly devices: number;
  readonly groups: number;
  /** Between two records of a device; absent: no device has a camera. */
  readonly intervalMs?: number;
  readonly pictureBytes: number;
  readonly connectsPerSecond: number;
  /** For the results of commands; best not on a disk. */
  readonly stateFolder: string;
}

export interface RecordCounts {
  readonly captured: number;
  /** By the broker. */
  readonly accepted: number;
  readonly received: number;
  readonly duplicates: number;
  readonly givenUp: number;
}

/** Many light devices in this process, under a root of their own, and somebody who receives and steers. */
export class Simulation {
  readonly controlConnects: ConnectLog;
  readonly uploadConnects: ConnectLog;
  readonly broker: FleetBroker;
  readonly #options: SimulationOptions;
  readonly #seams: Seams;
  readonly #devices: readonly LightDevice[];
  readonly #receiver: Receiver;

  /** Connections of one device: the broker and this process need a descriptor for each. */
  static socketsOf({ intervalMs }: Pick<SimulationOptions, "intervalMs">): number {
    return intervalMs === undefined ? 1 : 2;
  }

  constructor(options: SimulationOptions, seams: Seams) {
    this.#options = options;
    this.#seams = seams;
    this.controlConnects = new ConnectLog(seams.clock);
    this.uploadConnects = new ConnectLog(seams.clock);
    const name = `sim-${randomBytes(3).toString("hex")}`;
    // Real devices must neither be asked nor be listed with these.
    this.broker = { ...options.broker, root: `${options.broker.root}-simulated` };
    this.#devices = devicesOf({ ...options, broker: this.broker }, name, {
      control: { ...seams, log: this.controlConnects },
      upload: { ...seams, log: this.uploadConnects },
    });
    const filter = `${this.broker.root}/+/image/+`;
    this.#receiver = new Receiver(this.broker, { filter, name }, { ...seams, log: new ConnectLog(seams.clock) });
  }

  /** Resolves when all are started, at the given rate; they connect when they can. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock } = this.#seams;
    // Fails where there is no broker: devices would wait for it.
    await this.#receiver.start(signal);
    const beganMs = clock.monotonicMs();
    for (const [index, device] of this.#devices.entries()) {
      await device.start();
      const earlyMs = beganMs + (index / this.#options.connectsPerSecond) * 1_000 - clock.monotonicMs();
      if (earlyMs > 0) await clock.sleep(earlyMs, signal);
    }
  }

  up(): number {
    return this.#devices.filter((device) => device.isUp()).length;
  }

  /** Fails when `signal` aborts. */
  async allUp(signal: AbortSignal): Promise<void> {
    while (this.up() < this.#devices.length) await this.#seams.clock.sleep(lookEveryMs, signal);
  }

  /** One request to a group or all; how long each reply took, and how many did not come. */
  async ask(to: Addressee, timeoutMs: number, signal: AbortSignal) {
    const { clock } = this.#seams;
    const id = randomUUID();
    const latenciesMs: number[] = [];
    const replies = new Replies(id, clock, (_reply, afterMs) => latenciesMs.push(afterMs));
    const onReply = { command: "ping", from: to, take: (message: MqttMessage) => replies.take(message) };
    const operator = new Operator(this.broker, { onReply }, this.#seams);
    try {
      await operator.start(signal);
      for (const { name } of this.#devicesOf(to)) replies.expect(name);
      const request = { v: 1, id, ttlMs: timeoutMs } as const;
      await operator.send(to, "ping", request, signal);
      await replies.complete(timeoutMs, signal);
    } finally {
      await operator.stop();
    }
    return { latenciesMs, missing: replies.missing().length, failed: replies.failures() };
  }

  records(): RecordCounts {
    const sum = (of: (device: LightDevice) => number) => this.#devices.reduce((total, device) => total + of(device), 0);
    return {
      captured: sum(({ captured }) => captured),
      accepted: sum(({ spool }) => spool.accepted),
      received: this.#receiver.records,
      duplicates: this.#receiver.duplicates,
      givenUp: sum(({ spool }) => spool.givenUp),
    };
  }

  /** Takes no further pictures, and waits until all that were taken have arrived. False: not in this time. */
  async drained(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#seams;
    await Promise.all(this.#devices.map((device) => device.endCapture()));
    const endMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const { captured, received, givenUp } = this.records();
      if (received + givenUp >= captured) return true;
      if (clock.monotonicMs() > endMs) return false;
      await clock.sleep(lookEveryMs, signal);
    }
  }

  /** Also takes away what the devices have left at the broker. */
  async stop(): Promise<void> {
    for (const some of inParts(this.#devices, 100)) await Promise.all(some.map((device) => device.stop()));
    await this.#receiver.stop();
    const operator = new Operator(this.broker, {}, this.#seams);
    const signal = AbortSignal.timeout(sweepMs);
    try {
      await operator.start(signal);
      for (const { name } of this.#devices) await operator.forget(name, signal);
    } catch {
      // A broker that is away keeps it.
    } finally {
      await operator.stop();
    }
  }

  #devicesOf(to: Addressee): readonly LightDevice[] {
    const { groups } = this.#options;
    return this.#devices.filter(({ name }, index) => {
      if (to.kind === "device") return name === to.device;
      return to.kind === "all" || to.group === groupOf(index, groups);
    });
  }
}

const lookEveryMs = 100;
const sweepMs = 30_000;

interface DeviceSeams {
  readonly control: Seams;
  readonly upload: Seams;
}

function devicesOf(options: SimulationOptions, name: string, seams: DeviceSeams): readonly LightDevice[] {
  const { broker, devices, groups, intervalMs, pictureBytes, stateFolder } = options;
  const { url, username, password, protocol, tls, root, responseTopics } = broker;
  const login = {
    ...{ url, protocol },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
  const jpeg = randomBytes(pictureBytes);
  const topic = `${root}/{device}/image/{camera}`;
  const target =
    intervalMs === undefined
      ? {}
      : { target: mqttTargetConfig.parse({ id: "records", kind: "mqtt", ...login, topic }) };
  return Array.from({ length: devices }, (_, index) => {
    const device = `${name}-${String(index).padStart(5, "0")}`;
    const group = groupOf(index, groups);
    const remote = remoteConfig.parse({ ...login, root, responseTopics, groups: [group], allowAnonymous: true });
    const folder = join(stateFolder, device);
    const facts = { device, remote, ...target, intervalMs: intervalMs ?? Infinity, jpeg, stateFolder: folder };
    return new LightDevice(facts, seams.control, seams.upload);
  });
}

function groupOf(index: number, groups: number): string {
  return `group-${(index % groups) + 1}`;
}

function inParts<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, part) =>
    items.slice(part * size, (part + 1) * size),
  );
}
