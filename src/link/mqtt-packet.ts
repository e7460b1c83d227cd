/** What a PUBLISH may carry besides its payload. 3.1.1 has no place for properties; they are left out there. */
export interface PublishOptions {
  readonly qos: 0 | 1;
  readonly retain?: boolean;
  readonly properties?: PublishProperties;
  /** Treat "no matching subscribers" (MQTT 5, reason 16) as a failure. 3.1.1 cannot tell. */
  readonly requireSubscriber?: boolean;
}

export interface PublishProperties {
  readonly contentType?: string;
  readonly user?: Readonly<Record<string, string>>;
}

/** Bytes of a whole PUBLISH packet of MQTT 5, to hold against the broker's maximumPacketSize before sending it. */
export function publishPacketBytes(topic: string, payloadBytes: number, options: PublishOptions): number {
  const properties = propertiesBytes(options.properties);
  const remaining = textBytes(topic) + (options.qos > 0 ? 2 : 0) + lengthBytes(properties) + properties + payloadBytes;
  return 1 + lengthBytes(remaining) + remaining;
}

function propertiesBytes(properties: PublishProperties = {}): number {
  const contentType = properties.contentType === undefined ? 0 : 1 + textBytes(properties.contentType);
  return Object.entries(properties.user ?? {}).reduce(
    (sum, [name, value]) => sum + 1 + textBytes(name) + textBytes(value),
    contentType,
  );
}

/** A text of MQTT: two bytes of length, then UTF-8. */
function textBytes(text: string): number {
  return 2 + Buffer.byteLength(text);
}

/** A variable byte integer holds seven bits a byte. */
function lengthBytes(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  return value < 2_097_152 ? 3 : 4;
}
