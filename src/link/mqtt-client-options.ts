import { linkLimits } from "../core/deliver-limits.ts";
import type { MqttSettings, MqttVersion, MqttWill } from "./mqtt-settings.ts";
import type { TlsOptions } from "./tls.ts";

/** A connection as MQTT.js takes it, with all that it would do by itself turned off. */
export function clientOptions(settings: MqttSettings, version: MqttVersion, tls: TlsOptions | undefined) {
  const { host, port, secure, username, password, clientId, will, keepaliveSeconds, connectTimeoutMs } = settings;
  const { sessionExpirySeconds = 0 } = settings;
  return {
    ...(secure ? tls : {}),
    host,
    port,
    protocol: secure ? ("mqtts" as const) : ("mqtt" as const),
    protocolVersion: version,
    clientId,
    // What waits in a session of 3.1.1 does not tell how old it is.
    clean: version === 4 || sessionExpirySeconds === 0,
    keepalive: keepaliveSeconds,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined ? {} : { will: willOptions(will, version) }),
    ...(version === 5
      ? {
          properties: {
            sessionExpiryInterval: sessionExpirySeconds,
            receiveMaximum: linkLimits.mqttReceiveMax,
            maximumPacketSize: linkLimits.mqttReceivedBytesMax,
          },
        }
      : {}),
  };
}

function willOptions({ delaySeconds, ...will }: MqttWill, version: MqttVersion) {
  const isDelayed = version === 5 && delaySeconds !== undefined;
  return { ...will, ...(isDelayed ? { properties: { willDelayInterval: delaySeconds } } : {}) };
}
