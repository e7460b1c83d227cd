import { asAgentError, AgentError } from "../../core/errors.ts";
import { captureLimits } from "../../core/capture-limits.ts";
import { linkLimits } from "../../core/deliver-limits.ts";
import { outcomeOf, type Outcome } from "../../core/outcome.ts";
import type { Delivery, Meter, Seams, Target, TargetCapacity } from "../../core/ports.ts";
import type { RecordDraft, StoredRecord } from "../../core/types.ts";
import { brokerAddress } from "../../link/broker-address.ts";
import { MqttLink, type MqttTiming } from "../../link/mqtt-link.ts";
import { publishBytes, type PublishOptions } from "../../link/mqtt-packet.ts";
import { KeptBuffers } from "../../core/kept-buffers.ts";
import { filterWants } from "../filter.ts";
import type { MqttTargetConfig } from "./config.ts";
import { recordPayload, recordText } from "./encode.ts";
import { filledTopic } from "./topic.ts";

export interface MqttTargetOptions {
  readonly config: MqttTargetConfig;
  /** Of this gateway; names the client where the config does not. */
  readonly device: string;
  readonly meter?: Meter | undefined;
  /** For tests; the link's limits otherwise. */
  readonly timing?: Partial<MqttTiming>;
}

/** Any MQTT broker. Accepted means that the broker has taken the record, not that anybody received it. */
export class MqttTarget implements Target {
  readonly kind = "mqtt";
  readonly id: string;
  readonly #config: MqttTargetConfig;
  readonly #link: MqttLink;
  readonly #buffers = new KeptBuffers(linkLimits.mqttWindowMax, linkLimits.mqttInFlightBytesMax);

  constructor(options: MqttTargetOptions, seams: Seams) {
    const { config, device, meter, timing = {} } = options;
    this.id = config.id;
    this.#config = config;
    this.#link = new MqttLink({ ...linkOptions(config, device), meter, timing }, seams);
  }

  capacity(): TargetCapacity {
    return {
      recordsPerCallMax: 1,
      bytesPerCallMax: captureLimits.jpegBytesMax,
      callsInFlightMax: this.#link.limits()?.window ?? linkLimits.mqttWindowMax,
    };
  }

  wants(draft: RecordDraft): boolean {
    return filterWants(this.#config, draft);
  }

  async start(): Promise<void> {
    this.#link.start();
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#link.check(signal);
  }

  async deliver(deliveries: readonly Delivery[], signal: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    for (const delivery of deliveries) {
      try {
        await this.#publish(delivery, signal);
        outcomes.set(delivery.record.id, { kind: "accepted" });
      } catch (error) {
        outcomes.set(delivery.record.id, outcomeOf(asAgentError(error, `publish ${delivery.record.name}`)));
      }
    }
    return outcomes;
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  async #publish(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const { record } = delivery;
    const topic = filledTopic(this.#config.topic, {
      device: record.device,
      camera: record.cameraId,
      target: this.id,
    });
    const options = this.#publishOptions(record);
    const text = recordText(record, this.#config);
    // Before the image is read: neither a record that can never go nor a broker that is away costs its memory.
    await this.#link.settled(signal);
    this.#mustFit(record, text.payloadBytes, publishBytes(topic, text.payloadBytes, options));
    const jpeg = await delivery.image();
    signal.throwIfAborted();
    const payload = recordPayload(text, jpeg, (sizeBytes) => this.#buffers.take(sizeBytes));
    await this.#link.publish(topic, payload, options, signal);
    // The broker has answered, so the socket is done with it; after a failure it may still be reading.
    this.#buffers.giveBack(payload);
  }

  /** The id is in the payload too; here a receiver finds a duplicate without parsing it. */
  #publishOptions(record: StoredRecord): PublishOptions {
    return {
      qos: this.#config.qos,
      requireSubscriber: this.#config.requireSubscriber,
      properties: { contentType: "application/json", user: { id: record.id, sha256: record.imageSha256 } },
    };
  }

  #mustFit(record: StoredRecord, payloadBytes: number, packetBytes: number): void {
    const { payloadBytesMax = Infinity } = this.#config;
    const packetBytesMax = this.#link.limits()?.maximumPacketSize ?? Infinity;
    const overBytes = Math.max(payloadBytes - payloadBytesMax, packetBytes - packetBytesMax);
    if (overBytes <= 0) return;
    const max = Math.min(payloadBytesMax, packetBytesMax);
    const attempted = `publish ${record.name} to ${this.#link.broker()}`;
    const base64BytesMax = Math.ceil(record.imageBytes / 3) * 4 - overBytes;
    throw new AgentError("MQTT_TOO_LARGE", `${attempted}: it takes ${payloadBytes} bytes, the limit is ${max}`, {
      disposition: "reject",
      // Of the picture itself.
      facts: { bytesMax: Math.max(0, Math.floor(base64BytesMax / 4) * 3) },
    });
  }
}

function linkOptions(config: MqttTargetConfig, device: string): ConstructorParameters<typeof MqttLink>[0] {
  const { host, port, secure } = brokerAddress(config.url);
  const tls = config.tls ?? (secure ? { insecureSkipVerify: false } : undefined);
  return {
    host,
    port,
    clientId: config.clientId ?? `framepost-${device}-${config.id}`,
    protocol: config.protocol,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    ...(tls === undefined ? {} : { tls }),
  };
}
