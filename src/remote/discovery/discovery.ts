import type { Clock } from "../../core/clock.ts";
import { asAgentError, type AgentError } from "../../core/errors.ts";
import { discoveryLimits, remoteLimits } from "../../core/remote-limits.ts";
import { LogGate } from "../../core/log-gate.ts";
import type { Logger, Random, Seams } from "../../core/ports.ts";
import type { PublishProperties } from "../../link/mqtt-packet.ts";
import type { MqttMessage } from "../../link/mqtt-subscription.ts";
import type { RemoteConfig } from "../config.ts";
import type { Listener } from "../control-link.ts";
import { requestOf } from "./controls.ts";
import type { EntityGroup, Value } from "./entity.ts";
import { entityGroups } from "./entities.ts";
import { configTopic, discoveryPayload, platformsOf, type Announced } from "./payload.ts";
import { Pictures, type PictureSource } from "./pictures.ts";
import { both, goneFrom, nothingPublished, type Published, PublishedFile } from "./published.ts";
import type { Reading } from "./reading.ts";

/** What Home Assistant is shown. */
export interface DiscoverySource {
  read(): Promise<Reading>;
  readonly pictures: PictureSource;
}

type KeptLetter = readonly [topic: string, payload: Buffer, signal: AbortSignal, properties?: PublishProperties];

/** The part of the control link that is used. */
export interface DiscoveryLink {
  isPresent(): boolean;
  packetBytesMax(): number;
  /** Resolves with the error where the broker did not take it. */
  keep(...letter: KeptLetter): Promise<AgentError | undefined>;
}

export interface DiscoveryParts {
  readonly settings: RemoteConfig["homeAssistant"];
  readonly announced: Announced;
  readonly stateFolder: string;
  readonly source: DiscoverySource;
  readonly link: DiscoveryLink;
  /** Commands that there are, and that requests without a signature may use. */
  readonly commands: ReadonlySet<string>;
  /** Takes a request as if it had come to a command's own topic; `cameOn` is where it did come. */
  readonly take: (message: MqttMessage, cameOn: string) => Promise<void>;
}

interface Said {
  readonly text: string;
  /** Without what drifts. */
  readonly steady: string;
  readonly atMs: number;
}

/**
 * Shows this device to Home Assistant: announces its entities, keeps their states at the broker, and turns its plain
 * payloads into requests. Turned off it takes away what an earlier start has left at the broker.
 */
export class Discovery {
  readonly #parts: DiscoveryParts;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #gate: LogGate;
  readonly #published: PublishedFile;
  readonly #pictures: Pictures;
  readonly #said = new Map<string, Said>();
  readonly #run: string;
  #groups: readonly EntityGroup[] = [];
  #config = "";
  #requests = 0;
  /** Everything is to be said, changed or not. */
  #sayAll = true;
  #woken = false;
  #announcing: Promise<void> | undefined;
  #hurry = new AbortController();
  #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(parts: DiscoveryParts, seams: Seams) {
    this.#parts = parts;
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#log = seams.log;
    this.#gate = new LogGate(seams.clock);
    this.#published = new PublishedFile(parts.stateFolder);
    this.#pictures = new Pictures(parts.source.pictures, seams);
    this.#run = Math.floor(seams.random() * 2 ** 48).toString(36);
  }

  /**
   * A click is for now: the broker neither delivers it twice nor keeps it for a device that is away. Nothing while turned
   * off.
   */
  listeners(): readonly Listener[] {
    const { settings, announced } = this.#parts;
    if (!settings.enabled) return [];
    // Home Assistant announces itself under its usual prefix, whatever the prefix of discovery is, unless it is told so.
    const births = [...new Set([`${settings.prefix}/status`, "homeassistant/status"])];
    return [
      { filters: [announced.topics.set("+")], onMessage: (message) => this.#onSet(message) },
      { filters: births, onMessage: (message) => this.#onBirth(message) },
    ];
  }

  /** Returns without waiting for a broker. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    try {
      await this.#published.open();
    } catch (error) {
      // Without it entities that are gone may stay in Home Assistant: no reason to be without commands too.
      const { code, message } = asAgentError(error, "reading what was published");
      this.#log.error("discovery.forgotten", { code, message });
    }
    this.#running ??= this.#loop(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#hurry.abort();
    await this.#running;
    await this.#announcing;
    this.#running = undefined;
  }

  /** At every connect: a broker may have forgotten what it kept. */
  connected(): void {
    this.#sayAll = true;
    this.hurry();
  }

  /** Something has most likely changed. */
  hurry(): void {
    this.#woken = true;
    this.#hurry.abort();
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#woken = false;
      const all = this.#sayAll;
      try {
        if (this.#parts.link.isPresent()) {
          this.#sayAll = false;
          await this.#look(all, signal);
        }
      } catch (error) {
        if (all) this.#sayAll = true;
        if (!this.#stopping.signal.aborted) this.#trouble(asAgentError(error, "showing the device to Home Assistant"));
      }
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    this.#hurry = new AbortController();
    if (this.#woken || this.#stopping.signal.aborted) this.#hurry.abort();
    await this.#clock.sleep(remoteLimits.statusLookMs, this.#hurry.signal).catch(() => undefined);
  }

  async #look(all: boolean, signal: AbortSignal): Promise<void> {
    const { settings, source, commands, announced } = this.#parts;
    if (!settings.enabled) {
      if (all) await this.#replace(nothingPublished, signal);
      return;
    }
    const reading = await source.read();
    this.#groups = entityGroups(reading, { commands, pictures: settings.pictures });
    for (const group of this.#groups) await this.#tell(group, all, signal);
    await this.#showPictures(reading, all, signal);
    const config = JSON.stringify(discoveryPayload(announced, this.#groups));
    if (!all && config === this.#config) return;
    await this.#replace(this.#wanted(reading), signal);
    this.#config = config;
  }

  #wanted({ cameras }: Reading): Published {
    const { announced, settings } = this.#parts;
    const { topics } = announced;
    const states = this.#groups.map(({ name }) => topics.state(name));
    const pictures = settings.pictures ? cameras.map(({ id }) => topics.picture(id)) : [];
    const configs = { [configTopic(settings.prefix, announced)]: platformsOf(this.#groups) };
    return { configs, topics: [...states, ...pictures] };
  }

  /** Noted before it is done: what a crash leaves in between is still known. */
  async #replace(wanted: Published, signal: AbortSignal): Promise<void> {
    const before = this.#published.read();
    await this.#published.note(both(before, wanted));
    const taken: boolean[] = [];
    const publish = async (topic: string, payload: object | undefined) => {
      const bytes = Buffer.from(payload === undefined ? "" : JSON.stringify(payload));
      taken.push(await this.#keep(topic, bytes, signal));
    };
    for (const [topic, components] of Object.entries(wanted.configs)) {
      const gone = goneFrom(before.configs[topic], components);
      const { announced } = this.#parts;
      if (Object.keys(gone).length > 0) await publish(topic, discoveryPayload(announced, this.#groups, gone));
      await publish(topic, discoveryPayload(announced, this.#groups));
    }
    for (const topic of Object.keys(before.configs)) if (!(topic in wanted.configs)) await publish(topic, undefined);
    for (const topic of before.topics) if (!wanted.topics.includes(topic)) await publish(topic, undefined);
    if (taken.every(Boolean)) await this.#published.note(wanted);
  }

  async #tell({ name, state, drifting }: EntityGroup, all: boolean, signal: AbortSignal): Promise<void> {
    const text = JSON.stringify(state);
    const steady = JSON.stringify(withoutDrifting(state, drifting));
    const topic = this.#parts.announced.topics.state(name);
    const said = this.#said.get(topic);
    const nowMs = this.#clock.monotonicMs();
    const isDue = said === undefined || nowMs - said.atMs >= discoveryLimits.driftEveryMs;
    if (!all && said?.steady === steady && (!isDue || said.text === text)) return;
    if (await this.#keep(topic, Buffer.from(text), signal)) this.#said.set(topic, { text, steady, atMs: nowMs });
  }

  async #showPictures({ cameras }: Reading, all: boolean, signal: AbortSignal): Promise<void> {
    const { settings, announced, link } = this.#parts;
    if (!settings.pictures) return;
    this.#pictures.forgetAllBut(cameras.map(({ id }) => id));
    const bytesMax = Math.min(settings.maxPictureBytes, link.packetBytesMax() - discoveryLimits.packetOverheadBytes);
    for (const { id } of cameras) {
      const fresh = await this.#pictures.make(id, bytesMax, signal);
      const picture = fresh ?? (all ? this.#pictures.last(id) : undefined);
      if (picture !== undefined) await this.#keep(announced.topics.picture(id), picture, signal, jpegProperties);
    }
  }

  /** Whether the broker took it. */
  async #keep(...letter: KeptLetter): Promise<boolean> {
    const error = await this.#parts.link.keep(...letter);
    // A connection that broke is told of elsewhere, and the next one says everything anew.
    if (error !== undefined && error.disposition !== "retry") this.#trouble(error);
    return error === undefined;
  }

  async #onSet({ topic, payload, retain, arrivedMs }: MqttMessage): Promise<void> {
    const { announced, take } = this.#parts;
    const key = announced.topics.entity(topic);
    // An empty retained message clears a topic, and asks for nothing.
    if (key === undefined || (retain && payload.length === 0)) return;
    this.#requests += 1;
    const { command, body } = requestOf(this.#groups, key, payload, `ha-${this.#run}-${this.#requests}`);
    const request = { topic: announced.topics.command(command), payload: Buffer.from(JSON.stringify(body)) };
    await take({ ...request, qos: 0, retain, arrivedMs }, topic);
  }

  /** Home Assistant has started. Not everybody at once. */
  async #onBirth({ payload }: MqttMessage): Promise<void> {
    if (payload.toString() !== "online") return;
    const delayMs = this.#random() * discoveryLimits.announceSpreadMs;
    this.#announcing ??= this.#clock
      .sleep(delayMs, this.#stopping.signal)
      .then(() => this.connected())
      .catch(() => undefined)
      .finally(() => (this.#announcing = undefined));
  }

  #trouble({ code, message }: AgentError): void {
    const suppressed = this.#gate.pass(code);
    if (suppressed !== undefined) this.#log.warn("discovery.failed", { code, message, suppressed });
  }
}

const jpegProperties: PublishProperties = { contentType: "image/jpeg" };

function withoutDrifting(
  state: EntityGroup["state"],
  drifting: ReadonlySet<string>,
): readonly (readonly [string, Value])[] {
  return Object.entries(state).filter(([field]) => !drifting.has(field));
}
