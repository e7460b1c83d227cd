import type { Seams } from "../core/ports.ts";
import type { Command } from "./command.ts";
import type { RemoteConfig } from "./config.ts";
import type { Gate } from "./access.ts";
import { ControlLink, type ControlTiming } from "./control-link.ts";
import { Discovery, type DiscoverySource } from "./discovery/discovery.ts";
import type { DeviceEvent, EventKind } from "./event.ts";
import type { HealthLook } from "./health-events.ts";
import { Inbox, type InboxParts } from "./inbox.ts";
import { Ledger } from "./ledger.ts";
import { type Answered, isFinal, type Reply, type ReplyAddress } from "./reply.ts";
import { StatusWatch } from "./status-watch.ts";
import type { RequestCounts } from "./tally.ts";
import { Topics } from "./topics.ts";

export interface RemoteParts {
  readonly config: RemoteConfig;
  readonly device: string;
  /** Of this process, and no other; `info` has it, so that a second device with the same name is noticed. */
  readonly instance: string;
  readonly stateFolder: string;
  readonly commands: readonly Command[];
  readonly gate: Gate;
  readonly revision: () => number;
  readonly outcomeOf?: InboxParts["outcomeOf"];
  /** What `info` and `status` say at this moment. */
  readonly info: () => object;
  readonly status: () => Promise<object>;
  /** What Home Assistant is shown, by which version of the agent; not a thing when absent. */
  readonly discovery?: { readonly source: DiscoverySource; readonly version: string };
  /** The state of all parts, without asking the spool. */
  readonly look: () => HealthLook;
  readonly timing?: Partial<ControlTiming>;
}

/** Steers this device over MQTT: takes requests, answers them, and says how the device is. */
export class Remote {
  readonly #parts: RemoteParts;
  readonly #seams: Seams;
  readonly #topics: Topics;
  readonly #link: ControlLink;
  readonly #inbox: Inbox;
  readonly #discovery: Discovery | undefined;
  readonly #ledger: Ledger;
  readonly #watch: StatusWatch;
  readonly #kept = new Map<string, Buffer>();
  #stopping = new AbortController();
  #telling: Promise<void> | undefined;
  #sequence = 0;
  #eventSequence = 0;
  #startedMs = 0;

  constructor(parts: RemoteParts, seams: Seams) {
    this.#parts = parts;
    this.#seams = seams;
    const { config, device, commands, gate, revision, timing } = parts;
    this.#topics = new Topics(config.root, device);
    this.#ledger = new Ledger({ stateFolder: parts.stateFolder, keys: config.keys.map(({ id }) => id) }, seams);
    const inboxParts = {
      ...{ commands, gate, revision, topics: this.#topics },
      ...(parts.outcomeOf === undefined ? {} : { outcomeOf: parts.outcomeOf }),
      ledger: this.#ledger,
      mayReplyTo: (topic: string) => mayReplyTo(topic, config.responseTopics),
      reply: (answered: Answered) => this.#reply(answered),
      replyBytesMax: ({ correlationData }: ReplyAddress) =>
        this.#link.packetBytesMax() - envelopeBytesMax - (correlationData?.length ?? 0),
      audit: (audit: object) => this.event("audit", audit),
    };
    this.#inbox = new Inbox(inboxParts, seams);
    this.#discovery = this.#discoveryOf(parts, seams);
    this.#link = new ControlLink(
      {
        ...{ config, device, instance: parts.instance, topics: this.#topics },
        onRequest: (message) => this.#inbox.take(message),
        onMissed: (message) => this.#inbox.missed(message),
        sealed: (kind, data) => this.#sealed(kind, data),
        kept: () => this.#kept,
        listeners: this.#discovery?.listeners() ?? [],
        onPresent: () => this.#discovery?.connected(),
        ...(timing === undefined ? {} : { timing }),
      },
      seams,
    );
    const { look, info, status } = parts;
    const tell = (report: "info" | "status", value: object, signal: AbortSignal) => this.#tell(report, value, signal);
    const event = ({ kind, data }: DeviceEvent) => this.event(kind, data);
    const isConnected = () => this.#link.state().kind === "connected";
    const told = { look, info, status, tell, event, isConnected };
    this.#watch = new StatusWatch({ ...told, statusEveryMs: config.statusEvery }, seams);
  }

  get link(): ControlLink {
    return this.#link;
  }

  /** What became of requests since the process began. */
  requests(): RequestCounts {
    return this.#inbox.counts();
  }

  /** Final replies by command and state, `NAME STATE`. */
  requestsByCommand(): Readonly<Record<string, number>> {
    return this.#inbox.countsByCommand();
  }

  /** Being away is a state and no failure. Fails with `STATE_…`. */
  async start(): Promise<void> {
    this.#stopping = new AbortController();
    this.#startedMs = this.#seams.clock.monotonicMs();
    this.#kept.set(this.#topics.info, Buffer.from(JSON.stringify(this.#parts.info())));
    await this.#inbox.start();
    await this.#discovery?.start();
    this.#link.start();
    this.#telling = this.#watch.run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#telling;
    await this.#inbox.stop();
    await this.#discovery?.stop();
    await this.#link.stop();
    // Which replies the broker has taken; where that cannot be written they are sent once more.
    await this.#ledger.flush().catch(() => undefined);
  }

  /** What has happened, on the topic of its kind. */
  event(kind: EventKind, data: object): void {
    this.#link.event(kind, this.#sealed(kind, data));
  }

  #sealed(event: EventKind, data: object): object {
    this.#eventSequence += 1;
    return { v: 1, device: this.#parts.device, event, seq: this.#eventSequence, upMs: this.#upMs(), data };
  }

  async #tell(report: "info" | "status", value: object, signal: AbortSignal): Promise<void> {
    const payload = Buffer.from(JSON.stringify(value));
    this.#kept.set(this.#topics[report], payload);
    if (this.#link.state().kind === "connected") await this.#link.keep(this.#topics[report], payload, signal);
  }

  #upMs(): number {
    return Math.round(this.#seams.clock.monotonicMs() - this.#startedMs);
  }

  #reply({ answer, address, id, dry, duplicate, settled = () => {} }: Answered): void {
    this.#sequence += 1;
    const reply: Reply = {
      v: 1,
      device: this.#parts.device,
      cmd: address.command,
      ...(id === undefined ? {} : { id }),
      ...answer,
      ...(dry === true ? { dry } : {}),
      ...(duplicate === true ? { duplicate } : {}),
      revision: this.#parts.revision(),
      seq: this.#sequence,
      upMs: this.#upMs(),
    };
    this.#link.reply(reply, address, settled);
    if (isFinal(answer)) this.#discovery?.hurry();
  }

  #discoveryOf({ discovery, ...parts }: RemoteParts, seams: Seams): Discovery | undefined {
    if (discovery === undefined) return undefined;
    const { source, version } = discovery;
    const { config, device, commands, gate, stateFolder } = parts;
    // Home Assistant signs nothing.
    const usable = commands.filter(({ spec }) => gate.may({}, spec.scope)).map(({ spec }) => spec.name);
    return new Discovery(
      {
        ...{ stateFolder, source, settings: config.homeAssistant, commands: new Set(usable) },
        announced: { root: config.root, device, version, topics: this.#topics },
        link: {
          isPresent: () => this.#link.isPresent(),
          packetBytesMax: () => this.#link.packetBytesMax(),
          keep: (...message) => this.#link.keep(...message),
        },
        take: (message, cameOn) => this.#inbox.take(message, cameOn),
      },
      seams,
    );
  }
}

/** Never arbitrary: a caller must not make this device publish on any topic. */
export function mayReplyTo(topic: string, prefixes: readonly string[]): boolean {
  return !/[#+\0]/.test(topic) && topic.length <= 256 && prefixes.some((prefix) => topic.startsWith(prefix));
}

/** What is around an answer's own text in its packet: topics, ids, counters. */
const envelopeBytesMax = 2_048;
