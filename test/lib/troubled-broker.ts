import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type MqttClient } from "mqtt";
import { z } from "zod";
import type { Random } from "../../src/core/ports.ts";
import { command, type Command, type CommandSpec } from "../../src/remote/command.ts";
import { remoteConfig } from "../../src/remote/config.ts";
import type { ControlTiming } from "../../src/remote/control-link.ts";
import type { HealthLook } from "../../src/remote/health-events.ts";
import { Remote } from "../../src/remote/remote.ts";
import { HurriedClock } from "./hurried-clock.ts";
import { eventually, hashedLogin, Mosquitto } from "./mosquitto.ts";
import { RecordingLogger } from "./seams.ts";
import { tempFolder } from "./temp.ts";
import { Wire } from "./wire.ts";

/**
 * A device and a caller at a real broker that is restarted, frozen and closed to them, while requests keep coming. Counted
 * is what the device was given, and what came back.
 */
export interface TroubleOptions {
  readonly protocol: "5" | "3.1.1";
  /** How many times as fast the device's clock runs. */
  readonly hurry: number;
  /** What MQTT itself waits for; it counts in real time. */
  readonly timing: Partial<ControlTiming>;
  readonly requestEveryMs: number;
  readonly random: Random;
  /** Further lines of the broker's config. */
  readonly lines?: readonly string[];
}

export interface TroubleCounts {
  readonly sent: number;
  /** Requests that reached the device's commands; one that came twice counts twice. */
  readonly received: number;
  /** Requests with another number of final replies than they were received. */
  readonly missing: number;
  readonly surplus: number;
  /** Final replies that say they are copies of an earlier answer. */
  readonly duplicates: number;
  /** The same letter again: its first acknowledgement was lost with the connection. */
  readonly resent: number;
  readonly shortened: number;
  /** Requests that a `busy` spoke for. */
  readonly busy: number;
  readonly effects: number;
  readonly twice: number;
}

interface Seen {
  received: number;
  readonly finals: Set<number>;
}

interface Logins {
  readonly gw: string;
  readonly caller: string;
}

export class TroubledBroker implements AsyncDisposable {
  readonly #options: TroubleOptions;
  #logins: Logins = { gw: "", caller: "" };
  readonly #broker: Mosquitto;
  readonly #clock: HurriedClock;
  readonly #requests = new Map<string, Seen>();
  readonly #effects = new Map<number, number>();
  /** Not answered, though neither the caller nor the device was away in between. */
  readonly #open = new Set<string>();
  #counts = { sent: 0, resent: 0, duplicates: 0, shortened: 0, busy: 0 };
  #wire: Wire | undefined;
  #remote: Remote | undefined;
  #client: MqttClient | undefined;
  #temp: Awaited<ReturnType<typeof tempFolder>> | undefined;
  #ending = new AbortController();
  #calling: Promise<void> | undefined;
  #isSubscribed = false;

  constructor(options: TroubleOptions) {
    this.#options = options;
    this.#clock = new HurriedClock(options.hurry);
    const lines = ["allow_anonymous false", "password_file @/passwords", "acl_file @/acl", ...(options.lines ?? [])];
    this.#broker = new Mosquitto({ lines, files: { passwords: "", acl: openAcl } });
  }

  async start(): Promise<this> {
    this.#logins = { gw: await hashedLogin("gw", "gw-pass"), caller: await hashedLogin("caller", "caller-pass") };
    await this.#broker.start();
    await this.#broker.rewrite("passwords", this.#allLogins());
    this.#temp = await tempFolder();
    this.#wire = await new Wire(this.#broker.port).start();
    const { timing, protocol, random } = this.#options;
    const config = remoteConfig.parse({ url: this.#wire.url, username: "gw", password: "gw-pass", protocol });
    const seen = (id: string): Seen => this.#seen(id);
    const report = { v: 1, device: "gw", instance: "one" };
    this.#remote = new Remote(
      {
        ...{ config, device: "gw", instance: "one", stateFolder: this.#temp.path, timing },
        commands: this.#commands(),
        gate: {
          async refuse({ request: { id = "" } }) {
            seen(id).received += 1;
            return undefined;
          },
          may: () => true,
        },
        revision: () => 0,
        info: () => report,
        status: async () => report,
        look: () => quietLook,
      },
      { clock: this.#clock, random, log: new RecordingLogger() },
    );
    this.#calling = this.#call();
    await eventually("the caller listens", () => this.#isSubscribed);
    await this.#remote.start();
    await this.#isBack(this.#clock.monotonicMs());
    return this;
  }

  /** Resolves with how long the device took to come back, on its own clock, from when the broker was there again. */
  async restart(awayMs: number, how: "SIGKILL" | "SIGTERM"): Promise<number> {
    await this.#broker.kill(how);
    this.#wire?.down(true);
    await delay(awayMs);
    this.#isSubscribed = false;
    await this.#broker.launch();
    // Whoever counts the replies is there first.
    await eventually("the caller listens", () => this.#isSubscribed, 20_000);
    this.#wire?.down(false);
    return this.#isBack(this.#clock.monotonicMs());
  }

  async freeze(ms: number): Promise<number> {
    this.#broker.freeze();
    await delay(ms);
    this.#broker.thaw();
    return this.#isBack(this.#clock.monotonicMs());
  }

  /** The broker does not let the device in, and ends its connection. */
  async refuseLogin(ms: number): Promise<number> {
    await this.#broker.rewrite("passwords", this.#logins.caller);
    await delay(ms);
    await this.#broker.rewrite("passwords", this.#allLogins());
    return this.#isBack(this.#clock.monotonicMs());
  }

  /** The device may write to none of these; the broker says so on MQTT 5, and throws it away on 3.1.1. */
  async refuseWriting(topics: readonly string[], ms: number): Promise<number> {
    const denied = topics.map((topic) => `topic deny framepost/gw/${topic}\n`).join("");
    await this.#broker.rewrite("acl", `user caller\ntopic readwrite #\nuser gw\n${denied}topic readwrite #\n`);
    await delay(ms);
    await this.#broker.rewrite("acl", openAcl);
    return this.#isBack(this.#clock.monotonicMs());
  }

  /** Resolves when the device was given so many more requests. */
  async received(more: number): Promise<void> {
    const wanted = this.counts().received + more;
    await eventually(`${more} more requests arrive`, () => this.counts().received >= wanted, 20_000);
  }

  /** No more requests; waits for the replies that are owed, for this long at the most. */
  async settle(withinMs: number): Promise<TroubleCounts> {
    this.#ending.abort();
    const owed = () => [...this.#requests.values()].filter(({ received, finals }) => finals.size < received);
    const deadline = performance.now() + withinMs;
    await delay(300);
    while (owed().length > 0 && performance.now() < deadline) await delay(50);
    return this.counts();
  }

  counts(): TroubleCounts {
    const all = [...this.#requests.values()];
    const effects = [...this.#effects.values()];
    return {
      ...this.#counts,
      received: all.reduce((sum, { received }) => sum + received, 0),
      missing: all.filter(({ received, finals }) => finals.size < received).length,
      surplus: all.filter(({ received, finals }) => finals.size > received).length,
      effects: effects.length,
      twice: effects.filter((times) => times > 1).length,
    };
  }

  health(): object | undefined {
    return this.#remote?.link.health();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#remote?.stop();
    await this.#client?.endAsync(true);
    await this.#calling;
    await this.#wire?.stop();
    await this.#broker.stop();
    await this.#temp?.[Symbol.asyncDispose]();
  }

  #allLogins(): string {
    return this.#logins.gw + this.#logins.caller;
  }

  async #isBack(fromMs: number): Promise<number> {
    const health = () => this.#remote?.link.health().state;
    await eventually("the device is back", () => health() === "connected", 120_000);
    const backMs = this.#clock.monotonicMs() - fromMs;
    // What was lost meanwhile will not be answered; what was kept has arrived by then.
    await delay(100);
    this.#open.clear();
    return backMs;
  }

  /** A new client after each loss, so that nothing is sent twice by the caller. */
  async #call(): Promise<void> {
    const isOver = () => this.#ending.signal.aborted;
    let next = 0;
    while (!isOver()) {
      const client = await this.#connected().catch(() => undefined);
      const mayGoOn = () => client?.connected === true && !isOver();
      while (mayGoOn()) {
        await delay(this.#options.requestEveryMs);
        if (client !== undefined && mayGoOn() && this.#open.size < openMax) this.#ask(client, (next += 1));
      }
      // The replies still owed are read on.
      if (!isOver()) await client?.endAsync(true);
      await delay(20);
    }
  }

  async #connected(): Promise<MqttClient> {
    const login = { username: "caller", password: "caller-pass", connectTimeout: 2_000 };
    const client = await connectAsync(this.#broker.url, { ...login, reconnectPeriod: 0, protocolVersion: 5 }, false);
    client.on("error", () => {});
    client.on("message", (_topic, payload) => this.#take(JSON.parse(payload.toString()) as Answered));
    this.#client = client;
    this.#open.clear();
    await client.subscribeAsync("framepost/gw/res/+", { qos: 1 });
    this.#isSubscribed = true;
    return client;
  }

  #ask(client: MqttClient, n: number): void {
    const name = n % 3 === 0 ? "touch" : n % 10 === 1 ? "large" : "ping";
    const request = { id: `${name}-${n}`, args: name === "touch" ? { n } : {} };
    this.#counts.sent += 1;
    this.#open.add(request.id);
    client.publish(`framepost/gw/cmd/${name}`, JSON.stringify(request), { qos: 1 }, () => undefined);
  }

  #take({ id, seq, state, code, duplicate, data }: Answered): void {
    if (state === "accepted" || state === "progress") return;
    if (code === "busy") this.#counts.busy += data?.unanswered ?? 0;
    if (id === undefined) return;
    this.#open.delete(id);
    if (data?.leftOut === true) this.#counts.shortened += 1;
    const { finals } = this.#seen(id);
    if (finals.has(seq)) this.#counts.resent += 1;
    else if (duplicate === true) this.#counts.duplicates += 1;
    finals.add(seq);
  }

  #seen(id: string): Seen {
    const seen = this.#requests.get(id) ?? { received: 0, finals: new Set<number>() };
    this.#requests.set(id, seen);
    return seen;
  }

  #commands(): readonly Command[] {
    const question = z.strictObject({});
    const number = z.strictObject({ n: z.int() });
    const about = { summary: "Of a test.", answer: "of a test" } as const;
    const ask = (name: string): CommandSpec<typeof question> => {
      return { ...about, name, scope: "read", args: question, effect: false, example: {} };
    };
    const touch: CommandSpec<typeof number> = {
      ...{ ...about, name: "touch", scope: "capture", args: number, effect: true, example: { n: 1 } },
    };
    return [
      command(ask("ping"), async () => undefined),
      command(ask("large"), async () => ({ text: "x".repeat(30_000) })),
      command(touch, async ({ n }) => {
        this.#effects.set(n, (this.#effects.get(n) ?? 0) + 1);
        return { n };
      }),
    ];
  }
}

interface Answered {
  readonly id?: string;
  readonly seq: number;
  readonly state: string;
  readonly code: string;
  readonly duplicate?: boolean;
  readonly data?: { readonly leftOut?: boolean; readonly unanswered?: number };
}

const openAcl = "user caller\ntopic readwrite #\nuser gw\ntopic readwrite #\n";

/** What piles up somewhere arrives at once, and must stay below the rate limit. */
const openMax = 8;

const quietLook: HealthLook = {
  ...{ state: "ok", troubles: [], cameras: [], targets: [], detector: { state: "ready" } },
  ...{ spoolFull: false, paused: [], keptByRule: {}, revision: 0 },
};
