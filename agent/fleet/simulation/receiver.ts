import { remoteLimits } from "../../../src/core/limits.ts";
import type { Seams } from "../../../src/core/ports.ts";
import { brokerAddress } from "../../../src/link/broker-address.ts";
import { MqttLink } from "../../../src/link/mqtt-link.ts";
import type { MqttMessage } from "../../../src/link/mqtt-subscription.ts";
import type { FleetBroker } from "../broker.ts";

/** Takes what simulated devices upload, and counts each record of each device. */
export class Receiver {
  readonly #link: MqttLink;
  readonly #seen = new Map<string, Set<string>>();
  #records = 0;
  #duplicates = 0;

  constructor(broker: FleetBroker, { filter, name }: { readonly filter: string; readonly name: string }, seams: Seams) {
    const { url, protocol, username, password, tls } = broker;
    const { host, port, secure } = brokerAddress(url);
    const tlsFiles = tls ?? (secure ? { insecureSkipVerify: false } : undefined);
    this.#link = new MqttLink(
      {
        ...{ host, port, protocol, clientId: `framepost-${name}-receiver` },
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
        ...(tlsFiles === undefined ? {} : { tls: tlsFiles }),
        // What comes while the broker is back and this is not yet has to wait for it.
        sessionExpirySeconds: 600,
        subscriptions: [
          {
            ...{ filters: [filter], qos: 1, kept: "none", waitingMax: remoteLimits.fleetMessagesMax },
            onMessage: (message) => this.#take(message),
          },
        ],
        timing: { reconnectFirstMaxMs: 1_000, reconnectMaxMs: 1_000 },
      },
      seams,
    );
  }

  get records(): number {
    return this.#records;
  }

  get duplicates(): number {
    return this.#duplicates;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#link.start();
    await this.#link.settled(signal);
  }

  async stop(): Promise<void> {
    await this.#link.close();
  }

  /** The payload is mostly picture; the name stands behind it. */
  #take({ topic, payload }: MqttMessage): void {
    const at = payload.lastIndexOf('"name":"');
    const name = payload.toString("latin1", at, payload.indexOf('"', at + 8));
    const device = topic.split("/").at(-3) ?? "";
    const seen = this.#seen.get(device) ?? new Set();
    this.#seen.set(device, seen);
    if (seen.has(name)) this.#duplicates += 1;
    else this.#records += 1;
    seen.add(name);
  }
}
