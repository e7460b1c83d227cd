import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Delivery } from "../../src/core/ports.ts";
import { jsonWithBase64 } from "../../src/link/payload.ts";
import { mqttTargetConfig } from "../../src/targets/mqtt/config.ts";
import { MqttTarget } from "../../src/targets/mqtt/target.ts";
import { Mosquitto } from "../lib/mosquitto.ts";
import { linkSeams } from "../lib/mqtt.ts";
import { sampleDelivery, sampleJpeg } from "../lib/records.ts";
import { rounded, type BenchTable } from "./table.ts";

const imageBytes = 200_000;
const window = 4;
const rounds = 7;
const messages = 150;
const ratioMin = 0.6;

/** QoS 1 through the target, against packets made beforehand and written to a bare socket at the same window. */
export async function mqttUpload(): Promise<BenchTable> {
  const broker = await new Mosquitto().start();
  const config = mqttTargetConfig.parse({ id: "bench", kind: "mqtt", url: broker.url });
  const target = new MqttTarget({ config, device: "bench" }, linkSeams());
  await target.start();
  await target.probe(AbortSignal.timeout(5_000));
  // Made once: its hash is the spool's work, not the upload's.
  const delivery = sampleDelivery(1, sampleJpeg(1, imageBytes));
  const floor = await RawClient.open(broker.port);
  try {
    const floorRates: number[] = [];
    const targetRates: number[] = [];
    const targetCpuMs: number[] = [];
    // The first round warms both up and is not counted.
    for (let round = 0; round <= rounds; round += 1) {
      const floorRate = await ratePerSecond(() => floor.publish(messages));
      const before = process.cpuUsage();
      const targetRate = await ratePerSecond(() => throughTarget(target, delivery));
      const { user, system } = process.cpuUsage(before);
      if (round === 0) continue;
      floorRates.push(floorRate);
      targetRates.push(targetRate);
      targetCpuMs.push((user + system) / 1000 / messages);
    }
    const ratio = medianOf(targetRates.map((rate, at) => rate / (floorRates[at] ?? NaN)));
    return {
      title: `MQTT QoS 1 upload, ${imageBytes / 1000} KB JPEGs, ${window} under way, mosquitto on loopback`,
      columns: ["way", "records/s", "CPU ms/record"],
      rows: [
        ["ready packets on a raw socket", Math.round(medianOf(floorRates)), "-"],
        ["mqtt target, payload built each time", Math.round(medianOf(targetRates)), medianOf(targetCpuMs).toFixed(2)],
      ],
      verdicts: [
        {
          name: "MQTT upload against ready packets",
          value: rounded(ratio, 2),
          bound: `≥ ${ratioMin}`,
          holds: ratio >= ratioMin,
        },
      ],
    };
  } finally {
    floor.close();
    await target.close();
    await broker.stop();
  }
}

async function throughTarget(target: MqttTarget, delivery: Delivery): Promise<void> {
  const never = new AbortController().signal;
  let sent = 0;
  const lane = async () => {
    while (sent < messages) {
      sent += 1;
      const outcome = (await target.deliver([delivery], never)).get(delivery.record.id);
      if (outcome?.kind !== "accepted") throw new Error(`not accepted: ${outcome?.error.message ?? "no outcome"}`);
    }
  };
  await Promise.all(Array.from({ length: window }, lane));
}

async function ratePerSecond(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (messages * 1000) / (performance.now() - startedMs);
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** The least that any MQTT client must do: bytes that lie ready, one write each, and a look at the answers. */
class RawClient {
  readonly #socket: Socket;
  readonly #packets: readonly Buffer[];

  private constructor(socket: Socket) {
    this.#socket = socket;
    const payload = jsonWithBase64('{"image":"', sampleJpeg(1, imageBytes), '","type":"jpg","labels":[]}');
    this.#packets = Array.from({ length: window }, (_, at) => publishPacket(at + 1, payload));
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1").setNoDelay(true);
    // CONNECT: MQTT, version 5, clean start, no keepalive, no properties, client id "raw".
    socket.write(Buffer.from([0x10, 16, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 0, 0, 0, 3, 0x72, 0x61, 0x77]));
    await once(socket, "data");
    return new RawClient(socket);
  }

  async publish(count: number): Promise<void> {
    let sent = 0;
    let acknowledged = 0;
    let rest: Buffer = Buffer.alloc(0);
    await new Promise<void>((resolve) => {
      const sendNext = (id: number) => {
        if (sent === count) return;
        sent += 1;
        this.#socket.write(this.#packets[id - 1] ?? Buffer.alloc(0));
      };
      const read = (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        // Every answer here is a PUBACK below 128 bytes: type, length, message id, and perhaps a reason.
        while (rest.length >= 2 && rest.length >= 2 + (rest[1] ?? 0)) {
          const id = rest.readUInt16BE(2);
          rest = rest.subarray(2 + (rest[1] ?? 0));
          acknowledged += 1;
          sendNext(id);
        }
        if (acknowledged < count) return;
        this.#socket.off("data", read);
        resolve();
      };
      this.#socket.on("data", read);
      for (let id = 1; id <= window; id += 1) sendNext(id);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

function publishPacket(id: number, payload: Buffer): Buffer {
  const topic = Buffer.from("framepost/bench/image/gate");
  const variable = Buffer.concat([u16(topic.length), topic, u16(id), Buffer.from([0])]);
  const length: number[] = [];
  for (let rest = variable.length + payload.length; rest > 0; rest >>>= 7) {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  }
  return Buffer.concat([Buffer.from([0x32, ...length]), variable, payload]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
