import { execFile } from "node:child_process";
import { write } from "node:fs";
import { promisify } from "node:util";
import type { Clock } from "../../src/core/clock.ts";
import { errnoOf } from "../../src/core/errors.ts";
import { serviceLimits } from "../../src/core/limits.ts";

/** Tells the service manager what the process is doing (sd_notify(3)), without native code. */
export interface Notifier {
  /** `how`: a word for the log. */
  readonly how: "descriptor" | "systemd-notify" | "none";
  /** Assignments such as `READY=1`. Returns at once; what is sent later arrives later. */
  send(...assignments: readonly string[]): void;
  /** Resolves when all that was sent has gone. */
  sent(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A connected datagram socket that the service manager left open for us (`OpenFile=…:notify` of the unit): each write is
 * one message, and carries our own process number. Else the program `systemd-notify`, whose messages carry its own. Else
 * nobody listens.
 */
export function notifierOf(environment: Environment, clock: Clock, pid = process.pid): Notifier {
  const descriptor = inheritedDescriptor(environment, pid);
  if (descriptor !== undefined)
    return new QueuedNotifier("descriptor", (text) => writeDatagram(descriptor, text, clock));
  const { NOTIFY_SOCKET: socket, PATH: path } = environment;
  if (socket === undefined || socket === "") return new QueuedNotifier("none", async () => undefined);
  const env = { NOTIFY_SOCKET: socket, ...(path === undefined ? {} : { PATH: path }) };
  return new QueuedNotifier("systemd-notify", (text) => runSystemdNotify(text, env));
}

/** Descriptors begin at 3 and are meant for one process: a child of it would find numbers that are something else. */
function inheritedDescriptor(environment: Environment, pid: number): number | undefined {
  const { LISTEN_PID: owner, LISTEN_FDS: count, LISTEN_FDNAMES: names } = environment;
  if (Number(owner) !== pid || names === undefined) return undefined;
  const index = names.split(":").indexOf("notify");
  return index === -1 || index >= Number(count) ? undefined : 3 + index;
}

/** One message at a time, so that they arrive in their order. What fails is given up: nobody could be told. */
class QueuedNotifier implements Notifier {
  readonly how: Notifier["how"];
  readonly #deliver: (text: string) => Promise<void>;
  readonly #waiting: string[] = [];
  #sending: Promise<void> | undefined;

  constructor(how: Notifier["how"], deliver: (text: string) => Promise<void>) {
    this.how = how;
    this.#deliver = deliver;
  }

  send(...assignments: readonly string[]): void {
    // A service manager that hears nothing for so long has no use for the oldest of it.
    if (this.#waiting.length >= serviceLimits.messagesWaitingMax) this.#waiting.shift();
    this.#waiting.push(assignments.join("\n"));
    this.#sending ??= this.#sendAll();
  }

  async sent(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
      await this.#deliver(text).catch(() => undefined);
    }
    this.#sending = undefined;
  }
}

/** Asynchronous: a queue that the service manager does not empty must not stop the event loop. */
async function writeDatagram(descriptor: number, text: string, clock: Clock): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await new Promise<void>((resolve, reject) => {
        write(descriptor, text, (error) => (error === null ? resolve() : reject(error)));
      });
      return;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN" || tries >= serviceLimits.notifyTriesMax) throw error;
      await clock.sleep(serviceLimits.notifyAgainMs, new AbortController().signal);
    }
  }
}

async function runSystemdNotify(text: string, env: Record<string, string>): Promise<void> {
  const options = { env, timeout: serviceLimits.notifyProgramMs };
  await promisify(execFile)("systemd-notify", text.split("\n"), options);
}
