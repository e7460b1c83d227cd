import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Clock } from "../../src/core/clock.ts";
import type { Target } from "../../src/core/ports.ts";
import { DeliveryLoop } from "../../src/deliver/loop.ts";
import type { DiskSpool } from "../../src/spool/spool.ts";
import { iotownConfig } from "../../src/targets/iotown/config.ts";
import { IotownTarget } from "../../src/targets/iotown/target.ts";
import { mqttTargetConfig } from "../../src/targets/mqtt/config.ts";
import { MqttTarget } from "../../src/targets/mqtt/target.ts";
import { openSpool } from "./disk-spool.ts";
import { HurriedClock } from "./hurried-clock.ts";
import { until } from "./poll.ts";
import { sampleDraft, sampleJpeg } from "./records.ts";
import { RecordingLogger, seededRandom } from "./seams.ts";
import { tempFolder } from "./temp.ts";

export const benchToken = "sandbox-token";

interface BenchOptions {
  /** So many times as fast as the wall clock: back-off of seconds passes soon, a call still has its time. */
  readonly hurry?: number;
  readonly clock?: Clock;
  /** Of a spool that is there already, or is to outlive the bench. */
  readonly folder?: string;
  readonly recordsMax?: number;
}

/** The real delivery loop, from a spool on disk to whatever a test puts on the other side. */
export class TransportBench implements AsyncDisposable {
  readonly spool: DiskSpool;
  readonly log = new RecordingLogger();
  readonly clock: Clock;
  readonly #ends: (() => PromiseLike<unknown>)[];
  #seed = 0;

  private constructor(spool: DiskSpool, clock: Clock, ends: (() => PromiseLike<unknown>)[]) {
    this.spool = spool;
    this.clock = clock;
    this.#ends = ends;
  }

  static async open({ hurry = 20, folder, recordsMax = Infinity, ...options }: BenchOptions = {}) {
    const { clock = new HurriedClock(hurry) } = options;
    const temp = folder === undefined ? await tempFolder() : undefined;
    const opened = await openSpool(folder ?? temp?.path ?? "", { clock, recordsMax });
    const ends = [async () => await temp?.[Symbol.asyncDispose](), () => opened[Symbol.asyncDispose]()];
    return new TransportBench(opened.spool, clock, ends);
  }

  /** Ended with the bench, the last one first. */
  use<T extends { stop(): Promise<unknown> }>(part: T): T {
    this.#ends.push(() => part.stop());
    return part;
  }

  async deliverTo(target: Target): Promise<DeliveryLoop> {
    const loop = new DeliveryLoop(target, this.spool, { clock: this.clock, random: seededRandom(3), log: this.log });
    this.#ends.push(() => target.close());
    this.use(loop);
    await target.start();
    loop.start();
    return loop;
  }

  async town(url: string, keys: object = {}): Promise<DeliveryLoop> {
    const config = iotownConfig.parse({ id: "town", kind: "iotown", url, token: benchToken, ...keys });
    return await this.deliverTo(new IotownTarget(config, { idleTimeoutMs: 1_000, connectTimeoutMs: 1_000 }));
  }

  async broker(url: string, keys: object = {}): Promise<DeliveryLoop> {
    const config = mqttTargetConfig.parse({ id: "town", kind: "mqtt", url, ...keys });
    const timing = {
      ...{ reconnectFirstMaxMs: 20, reconnectFirstMs: 10, reconnectMaxMs: 50 },
      ...{ connectTimeoutMs: 200, ackTimeoutMs: 1_000, keepaliveSeconds: 1 },
    };
    const seams = { clock: this.clock, random: seededRandom(5), log: this.log };
    return await this.deliverTo(new MqttTarget({ config, device: "gw-07", timing }, seams));
  }

  /** Hashes of their pictures, in their order. */
  async append(count: number, sizeBytes = 3_000): Promise<readonly string[]> {
    const hashes: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const jpeg = sampleJpeg((this.#seed += 1), sizeBytes);
      await this.spool.append(sampleDraft({ capturedAtMs: this.clock.nowMs() }), jpeg, ["town"]);
      hashes.push(createHash("sha256").update(jpeg).digest("hex"));
    }
    return hashes;
  }

  /** It has been found to be away, for this cause, and nothing that waits is charged for it. */
  async away(loop: DeliveryLoop, code: string): Promise<void> {
    await until(() => loop.health().awayBecause?.code === code, `${code} instead of ${JSON.stringify(loop.health())}`);
    for (const { deliveries } of await this.spool.list({ afterSequence: 0, recordsMax: 100 })) {
      for (const { attempts, state } of deliveries) assert.deepEqual([attempts, state], [0, "pending"]);
    }
  }

  /** Nothing waits any more, and nothing but these is set aside. */
  async settled(loop: DeliveryLoop, { setAside = [] as readonly string[] } = {}): Promise<void> {
    const isOver = async (): Promise<boolean> => {
      const backlog = (await this.spool.stats()).targets.find(({ targetId }) => targetId === "town");
      return (backlog?.pending ?? 0) + (backlog?.leased ?? 0) === 0;
    };
    await until(isOver, "everything that waits is sent", 10_000).catch((error: unknown) => {
      assert.fail(`${String(error)}: ${JSON.stringify(loop.health())}`);
    });
    const left = await this.spool.list({ afterSequence: 0, recordsMax: 100 });
    assert.deepEqual(
      left.flatMap(({ deliveries }) => deliveries.map(({ error = "" }) => error.split(" ", 1)[0]?.replace(":", ""))),
      setAside,
    );
    assert.equal((await this.spool.stats()).lost.length, 0);
    await until(() => loop.health().state === "up", "the target counts as up");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }
}
