import { createHash, randomUUID } from "node:crypto";
import type { Seams } from "../../../src/core/ports.ts";
import type { StoredRecord } from "../../../src/core/types.ts";
import { Ulids } from "../../../src/core/ulid.ts";
import { DeliveryLoop } from "../../../src/deliver/loop.ts";
import { Access } from "../../../src/remote/access.ts";
import { basicCommands } from "../../../src/remote/commands/basic.ts";
import type { RemoteConfig } from "../../../src/remote/config.ts";
import { Remote } from "../../../src/remote/remote.ts";
import type { MqttTargetConfig } from "../../../src/targets/mqtt/config.ts";
import { MqttTarget } from "../../../src/targets/mqtt/target.ts";
import { LightSpool } from "./light-spool.ts";
import { lightInfo, lightLook, lightStatus } from "./light-status.ts";

export interface LightDeviceOptions {
  readonly device: string;
  readonly remote: RemoteConfig;
  /** Where records go; absent: it has no camera. */
  readonly target?: MqttTargetConfig;
  readonly intervalMs: number;
  /** Of every picture; all devices share it. */
  readonly jpeg: Buffer;
  readonly stateFolder: string;
}

/**
 * A device as a broker sees it: the control link, inbox, ledger, delivery loop and target are the real ones. Its camera
 * gives the same picture every time, its detector the same object, and its spool is in memory.
 */
export class LightDevice {
  readonly name: string;
  readonly spool: LightSpool;
  readonly #options: LightDeviceOptions;
  readonly #seams: Seams;
  readonly #remote: Remote;
  readonly #ulids: Ulids;
  readonly #target: MqttTarget | undefined;
  readonly #loop: DeliveryLoop | undefined;
  #stopping = new AbortController();
  #capturing: Promise<void> = Promise.resolve();
  #captured = 0;

  /** `seams` for the control link, `uploadSeams` for the upload: their connects are counted apart. */
  constructor(options: LightDeviceOptions, seams: Seams, uploadSeams: Seams) {
    const { device, remote, target, jpeg, stateFolder } = options;
    this.#options = options;
    this.#seams = seams;
    this.name = device;
    this.spool = new LightSpool(jpeg, seams.clock);
    this.#ulids = new Ulids(seams.clock, seams.random);
    const instance = randomUUID();
    const facts = { device, instance, groups: remote.groups, spool: this.spool, startedMs: seams.clock.monotonicMs() };
    const port = {
      info: () => lightInfo(facts),
      status: async () => lightStatus({ ...facts, captured: this.#captured }, seams.clock),
    };
    this.#remote = new Remote(
      {
        ...{ config: remote, device, instance, stateFolder, gate: new Access(remote), commands: basicCommands(port) },
        ...{ ...port, look: lightLook, revision: () => 0 },
      },
      seams,
    );
    if (target === undefined) return;
    this.#target = new MqttTarget({ config: target, device }, uploadSeams);
    this.#loop = new DeliveryLoop(this.#target, this.spool, uploadSeams);
  }

  get captured(): number {
    return this.#captured;
  }

  isUp(): boolean {
    return this.#remote.link.state().kind === "connected";
  }

  async start(): Promise<void> {
    await this.#remote.start();
    await this.#target?.start();
    this.#loop?.start();
    if (this.#loop !== undefined) this.#capturing = this.#capture(this.#stopping.signal);
  }

  /** No further record. */
  async endCapture(): Promise<void> {
    this.#stopping.abort();
    await this.#capturing;
  }

  async stop(): Promise<void> {
    await this.endCapture();
    await this.#loop?.stop();
    await this.#target?.close();
    await this.#remote.stop();
  }

  /** A fleet does not take its pictures in step. */
  async #capture(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#seams;
    const { intervalMs } = this.#options;
    await clock.sleep(intervalMs * random(), signal).catch(() => undefined);
    while (!signal.aborted) {
      this.#captured += 1;
      this.spool.append(this.#record(this.#captured));
      await clock.sleep(intervalMs, signal).catch(() => undefined);
    }
  }

  #record(sequence: number): StoredRecord {
    const { clock } = this.#seams;
    const { device, jpeg } = this.#options;
    return {
      ...{ id: this.#ulids.next(), name: `${device}-simulated-${sequence}.jpg`, device, sequence },
      ...{ cameraId: "camera", capturedAtMs: clock.nowMs(), monotonicMs: clock.monotonicMs(), bootId: "simulated" },
      ...{ clockQuality: "unknown", imageWidth: 640, imageHeight: 360, labelled: true, agentVersion: "simulated" },
      detections: [{ label: "person", score: 0.9, box: { left: 100, top: 50, width: 60, height: 120 } }],
      reason: { rule: "simulated", priority: 0 },
      ...{ imageBytes: jpeg.length, imageSha256: digestOf(jpeg) },
    };
  }
}

const digests = new WeakMap<Buffer, string>();

function digestOf(jpeg: Buffer): string {
  const known = digests.get(jpeg) ?? createHash("sha256").update(jpeg).digest("hex");
  digests.set(jpeg, known);
  return known;
}
