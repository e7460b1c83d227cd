import { backoffMs } from "../core/backoff.ts";
import { AgentError, asAgentError } from "../core/errors.ts";
import { linkLimits } from "../core/deliver-limits.ts";
import type { Meter, Seams } from "../core/ports.ts";
import { MqttConnection } from "./mqtt.ts";
import { mayBeOlder } from "./mqtt-errors.ts";
import { Hearing } from "./mqtt-hearing.ts";
import type { PublishOptions } from "./mqtt-packet.ts";
import { brokerName, type MqttLimits, type MqttVersion, type MqttWill } from "./mqtt-settings.ts";
import type { MqttSubscription } from "./mqtt-subscription.ts";
import { readTlsOptions } from "./tls.ts";

/**
 * A supervised connection to one broker: it comes back by itself, with a new connection each time and full jitter, and
 * never holds a message while it is away.
 */

type TlsFiles = Parameters<typeof readTlsOptions>[0];

export interface MqttLinkOptions {
  readonly host: string;
  readonly port: number;
  /** TLS files are read anew for every connection, so that a renewed certificate is used without a restart. */
  readonly tls?: TlsFiles;
  readonly username?: string;
  readonly password?: string;
  readonly clientId: string;
  /** `auto` asks for MQTT 5 and falls back on 3.1.1 where the broker refuses it. */
  readonly protocol: "auto" | "5" | "3.1.1";
  readonly will?: MqttWill;
  /** Made anew on every connection, which counts as open only then. Without a session, what comes in between is missed. */
  readonly subscriptions?: readonly MqttSubscription[];
  /** MQTT 5: the broker keeps what comes meanwhile for so long. */
  readonly sessionExpirySeconds?: number;
  /** Called at every connect, when everything is subscribed; `ended` aborts with that connection. Must not throw. */
  readonly onConnected?: (ended: AbortSignal) => void;
  /** Called each time that no connection could be made. Must not throw. */
  readonly onUnreachable?: (error: AgentError) => void;
  /** Is told of each message when it goes. */
  readonly meter?: Meter | undefined;
  /** For tests; the link's limits otherwise. */
  readonly timing?: Partial<MqttTiming>;
}

export interface MqttTiming {
  readonly keepaliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly ackTimeoutMs: number;
  readonly reconnectFirstMaxMs: number;
  readonly reconnectFirstMs: number;
  readonly reconnectMaxMs: number;
}

export type MqttLinkState =
  | { readonly kind: "connecting"; readonly lastError?: AgentError }
  | { readonly kind: "connected"; readonly limits: MqttLimits }
  | { readonly kind: "waiting"; readonly lastError: AgentError }
  | { readonly kind: "stopped"; readonly lastError?: AgentError };

const defaultTiming: MqttTiming = {
  keepaliveSeconds: linkLimits.mqttKeepaliveSeconds,
  connectTimeoutMs: linkLimits.connectTimeoutMs,
  ackTimeoutMs: linkLimits.mqttAckTimeoutMs,
  reconnectFirstMaxMs: linkLimits.reconnectFirstMaxMs,
  reconnectFirstMs: linkLimits.reconnectFirstMs,
  reconnectMaxMs: linkLimits.reconnectMaxMs,
};

export class MqttLink {
  readonly #options: MqttLinkOptions;
  readonly #timing: MqttTiming;
  readonly #seams: Seams;
  readonly #broker: string;
  readonly #hearing: Hearing;
  readonly #watchers = new Set<() => void>();
  #state: MqttLinkState = { kind: "stopped" };
  #version: MqttVersion;
  #connection: MqttConnection | undefined;
  #lastLimits: MqttLimits | undefined;
  #lastFailure: AgentError | undefined;
  #connections = 0;
  #stop = new AbortController();
  #hurry = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: MqttLinkOptions, seams: Seams) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#seams = seams;
    this.#broker = brokerName({ ...options, secure: options.tls !== undefined });
    this.#version = options.protocol === "3.1.1" ? 4 : 5;
    this.#hearing = new Hearing(options.subscriptions ?? [], seams.clock);
  }

  /** `mqtt://host:port`, for texts; without credentials. */
  broker(): string {
    return this.#broker;
  }

  state(): MqttLinkState {
    return this.#state;
  }

  /** Of the last connection; undefined before the first. */
  limits(): MqttLimits | undefined {
    return this.#lastLimits;
  }

  /** Why the last connection ended or could not be made, also once there is another one. */
  lastFailure(): AgentError | undefined {
    return this.#lastFailure;
  }

  /** Messages that came while whoever listens was stuck, and were thrown away. */
  missed(): number {
    return this.#hearing.missed;
  }

  /** How often it was connected since the start. */
  connections(): number {
    return this.#connections;
  }

  /** Returns at once: being away is a state. May be called again after `close`. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#stop = new AbortController();
    this.#running = this.#run(this.#stop.signal);
  }

  /** Over in bounded time; leaves no socket and no timer. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#hurry.abort();
    await this.#running;
    this.#running = undefined;
  }

  /**
   * Resolves when the broker has taken the message. Fails at once with `MQTT_OFFLINE` while there is no connection;
   * otherwise with `MQTT_…` codes of `mqtt-errors.ts`, or `ABORTED`.
   */
  async publish(topic: string, payload: Buffer, options: PublishOptions, signal: AbortSignal): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) throw this.#offline(`publish to ${topic} at ${this.#broker}`);
    await connection.publish(topic, payload, options, signal);
  }

  /**
   * Waits for what comes of an attempt to connect, where one is being made. Without a connection it then fails: with the
   * reason where only a person can mend it (credentials, certificates), with `MQTT_OFFLINE` otherwise. For callers who
   * have not built their payload yet.
   */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.#state.kind === "connecting") await this.#change(signal);
    if (this.#connection !== undefined) return;
    const error = this.#lastError();
    throw error?.disposition === "fatal" ? error : this.#offline(`reach ${this.#broker}`);
  }

  /** Resolves once there is a connection; fails with `ABORTED` or, after `close`, with `MQTT_OFFLINE`. */
  async connected(signal: AbortSignal): Promise<void> {
    while (this.#state.kind !== "connected") {
      if (this.#state.kind === "stopped") throw this.#offline(`wait for ${this.#broker}`);
      await this.#change(signal);
    }
  }

  /** Cuts the present pause short, asks the broker for a sign of life, and fails with the reason when none comes. */
  async check(signal: AbortSignal): Promise<void> {
    if (this.#state.kind === "waiting") {
      this.#hurry.abort();
      await this.#change(signal);
    }
    while (this.#state.kind === "connecting") await this.#change(signal);
    if (this.#connection === undefined) throw this.#lastError() ?? this.#offline(`check ${this.#broker}`);
    await this.#connection.ping(signal);
  }

  /** Asks for all subscriptions again on the connection there is, for filters that were refused. */
  async resubscribe(signal: AbortSignal): Promise<void> {
    await this.#connection?.subscribe(signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let lastError: AgentError | undefined;
    for (;;) {
      this.#become({ kind: "connecting", ...(lastError === undefined ? {} : { lastError }) });
      const startedMs = this.#seams.clock.monotonicMs();
      const ended = await this.#connectOnce(signal);
      if (signal.aborted) break;
      lastError = ended.error;
      this.#lastFailure = lastError;
      const livedMs = ended.served ? this.#seams.clock.monotonicMs() - startedMs : 0;
      failures = livedMs >= linkLimits.mqttHealthyAfterMs ? 1 : failures + 1;
      this.#become({ kind: "waiting", lastError });
      if (!ended.served) this.#options.onUnreachable?.(lastError);
      await this.#pause(this.#delayMs(failures, ended.served));
    }
    this.#become({ kind: "stopped", ...(lastError === undefined ? {} : { lastError }) });
  }

  /** From CONNECT to the end of the connection. Never throws: the loop above decides what an error means. */
  async #connectOnce(signal: AbortSignal): Promise<{ readonly served: boolean; readonly error: AgentError }> {
    let connection: MqttConnection;
    try {
      connection = await this.#open(signal);
    } catch (error) {
      return { served: false, error: asAgentError(error, `connect to ${this.#broker}`) };
    }
    let stop = () => {};
    const stopped = new Promise<void>((resolve) => (stop = resolve));
    signal.addEventListener("abort", stop, { once: true });
    try {
      const lost = signal.aborted ? undefined : await Promise.race([connection.lost(), stopped]);
      return { served: true, error: lost ?? this.#offline(`connection to ${this.#broker}`) };
    } finally {
      signal.removeEventListener("abort", stop);
      this.#connection = undefined;
      await connection.close();
    }
  }

  async #open(signal: AbortSignal): Promise<MqttConnection> {
    try {
      return await this.#openAs(this.#version, signal);
    } catch (error) {
      const refused = asAgentError(error, `connect to ${this.#broker}`);
      if (this.#options.protocol !== "auto" || this.#version === 4 || !mayBeOlder(refused)) throw refused;
      // One that has spoken MQTT 5 was stopping; a connection without a session would end the one that it keeps for us.
      if (this.#lastLimits?.version === 5 && refused.code !== "MQTT_PROTOCOL_VERSION") throw refused;
      const connection = await this.#openAs(4, signal);
      // A broker that broke the connection off may just have been stopping; one that named the version meant it.
      if (refused.code === "MQTT_PROTOCOL_VERSION") this.#version = 4;
      return connection;
    }
  }

  async #openAs(version: MqttVersion, signal: AbortSignal): Promise<MqttConnection> {
    const { host, port, tls: files, username, password, clientId, will } = this.#options;
    const { sessionExpirySeconds, subscriptions = [], onConnected, meter } = this.#options;
    const tls = files === undefined ? undefined : await readTlsOptions(files);
    const { keepaliveSeconds, connectTimeoutMs, ackTimeoutMs } = this.#timing;
    const connection = new MqttConnection(
      {
        host,
        port,
        secure: tls !== undefined,
        clientId,
        keepaliveSeconds,
        connectTimeoutMs,
        ackTimeoutMs,
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
        ...(will === undefined ? {} : { will }),
        ...(sessionExpirySeconds === undefined ? {} : { sessionExpirySeconds }),
        ...{ subscriptions, hearing: this.#hearing },
        ...(meter === undefined ? {} : { meter }),
      },
      version,
    );
    const limits = await connection.open(tls, signal);
    await this.#subscribe(connection, signal);
    this.#connection = connection;
    this.#lastLimits = limits;
    this.#connections += 1;
    this.#become({ kind: "connected", limits });
    onConnected?.(connection.over);
    return connection;
  }

  async #subscribe(connection: MqttConnection, signal: AbortSignal): Promise<void> {
    try {
      await connection.subscribe(signal);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** After a loss a whole fleet comes back at the same moment, hence the wide first delay. */
  #delayMs(failures: number, served: boolean): number {
    const { reconnectFirstMaxMs, reconnectFirstMs, reconnectMaxMs } = this.#timing;
    const { random } = this.#seams;
    if (served && failures === 1) return Math.round(random() * reconnectFirstMaxMs);
    return backoffMs(failures, reconnectFirstMs, reconnectMaxMs, random);
  }

  async #pause(delayMs: number): Promise<void> {
    this.#hurry = new AbortController();
    try {
      await this.#seams.clock.sleep(delayMs, this.#hurry.signal);
    } catch {
      // Hurried or stopped: the loop looks at its signal.
    }
  }

  #become(state: MqttLinkState): void {
    const { log } = this.#seams;
    if (state.kind === "connected") log.info("mqtt.connected", { broker: this.#broker, ...state.limits });
    if (state.kind === "waiting" && this.#state.kind === "connected") {
      log.warn("mqtt.lost", { broker: this.#broker, code: state.lastError.code, error: state.lastError.message });
    }
    this.#state = state;
    for (const watcher of [...this.#watchers]) watcher();
  }

  async #change(signal: AbortSignal): Promise<void> {
    let watcher = () => {};
    let giveUp = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        giveUp = () => {
          const attempted = `wait for ${this.#broker}`;
          reject(
            new AgentError("ABORTED", `${attempted}: stopped`, { disposition: "retry", cause: this.#lastError() }),
          );
        };
        if (signal.aborted) giveUp();
        watcher = resolve;
        this.#watchers.add(watcher);
        signal.addEventListener("abort", giveUp, { once: true });
      });
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener("abort", giveUp);
    }
  }

  #lastError(): AgentError | undefined {
    return this.#state.kind === "connected" ? undefined : this.#state.lastError;
  }

  #offline(attempted: string): AgentError {
    const cause = this.#lastError();
    const why = cause === undefined ? "not connected" : `not connected (${cause.message})`;
    return new AgentError("MQTT_OFFLINE", `${attempted}: ${why}`, {
      disposition: "retry",
      ...(cause === undefined ? {} : { cause, facts: { lastCode: cause.code } }),
    });
  }
}
