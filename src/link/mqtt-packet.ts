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
  /** The payload is UTF-8 text. */
  readonly isText?: boolean;
  /** After this long the broker may throw it away. */
  readonly expirySeconds?: number;
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
  readonly user?: Readonly<Record<string, string>>;
}

const publishType = 0x30;
const pubackType = 0x40;
const payloadFormatProperty = 0x01;
const expiryProperty = 0x02;
const contentTypeProperty = 0x03;
const responseTopicProperty = 0x08;
const correlationProperty = 0x09;
const userProperty = 0x26;

/** Everything of a PUBLISH packet before its payload (MQTT 5, 3.3; MQTT 3.1.1, 3.3). `id` counts with QoS 1 only. */
export function publishHead(
  version: 4 | 5,
  topic: string,
  id: number,
  payloadBytes: number,
  options: PublishOptions,
): Buffer {
  const properties = version === 5 ? propertiesOf(options.properties) : Buffer.alloc(0);
  const identity = options.qos === 0 ? Buffer.alloc(0) : uint16(id);
  const variable = Buffer.concat([text(topic), identity, properties]);
  const flags = (options.qos << 1) | (options.retain === true ? 1 : 0);
  return Buffer.concat([Buffer.from([publishType | flags]), length(variable.length + payloadBytes), variable]);
}

/** A PUBACK that says yes, of either version. */
export function publishAnswer(id: number): Buffer {
  return Buffer.concat([Buffer.from([pubackType, 2]), uint16(id)]);
}

/** Bytes of a whole packet, to hold against the broker's maximumPacketSize before there is a payload. */
export function publishBytes(topic: string, payloadBytes: number, options: PublishOptions): number {
  return publishHead(5, topic, 0, payloadBytes, options).length + payloadBytes;
}

function propertiesOf(given: PublishProperties = {}): Buffer {
  const { isText, expirySeconds, contentType, responseTopic, correlationData, user = {} } = given;
  const properties = Buffer.concat([
    ...(isText === true ? [Buffer.from([payloadFormatProperty, 1])] : []),
    ...(expirySeconds === undefined ? [] : [Buffer.from([expiryProperty]), uint32(expirySeconds)]),
    ...(contentType === undefined ? [] : [Buffer.from([contentTypeProperty]), text(contentType)]),
    ...(responseTopic === undefined ? [] : [Buffer.from([responseTopicProperty]), text(responseTopic)]),
    ...(correlationData === undefined ? [] : [Buffer.from([correlationProperty]), binary(correlationData)]),
    ...Object.entries(user).flatMap(([name, value]) => [Buffer.from([userProperty]), text(name), text(value)]),
  ]);
  return Buffer.concat([length(properties.length), properties]);
}

function text(value: string): Buffer {
  return binary(Buffer.from(value));
}

function binary(bytes: Buffer): Buffer {
  return Buffer.concat([uint16(bytes.length), bytes]);
}

function uint16(value: number): Buffer {
  return Buffer.from([value >>> 8, value & 0xff]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A variable byte integer: seven bits a byte, the lowest first. */
function length(value: number): Buffer {
  const bytes = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}
