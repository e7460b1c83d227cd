export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  /** TLS. */
  readonly secure: boolean;
}

/** Of `mqtt://host:port` or `mqtts://host:port`; without a port 1883, with TLS 8883. */
export function brokerAddress(brokerUrl: string): BrokerAddress {
  const { protocol, hostname, port } = new URL(brokerUrl);
  const secure = protocol === "mqtts:";
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? (secure ? 8883 : 1883) : Number(port),
    secure,
  };
}
