import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LogLine } from "./agent.ts";
import { until } from "./poll.ts";
import { repositoryFolder } from "./shared.ts";

const listener = join(repositoryFolder, "test", "lib", "notify-listener.py");
/** Debian's own. */
export const python = "/usr/bin/python3";

export interface Notice {
  /** The process that sent it, as the kernel says. */
  readonly from: number;
  readonly text: string;
  readonly atMs: number;
}

/** The agent below a listener that stands where a service manager does. */
export class NotifiedAgent implements AsyncDisposable {
  readonly notices: Notice[] = [];
  readonly logs: LogLine[] = [];
  readonly stderr: string[] = [];
  /** Of the agent. */
  pid = 0;
  ended: number | undefined;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(
    way: "descriptor" | "systemd-notify",
    {
      folder,
      program = "agent/main.js",
      words,
      env = {},
    }: {
      readonly folder: string;
      readonly program?: string;
      readonly words: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
    },
  ) {
    const command = [process.execPath, join(repositoryFolder, "dist", program), ...words];
    const environment = { ...process.env, JOURNAL_STREAM: undefined, NOTIFY_SOCKET: undefined, ...env };
    const child = spawn(python, [listener, join(folder, "notify"), way, ...command], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: environment,
    });
    this.#child = child;
    this.#closed = once(child, "close");
    createInterface({ input: child.stdout }).on("line", (line) => this.#hear(line));
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.stderr.push(line);
      if (line.startsWith("{")) this.logs.push(JSON.parse(line) as LogLine);
    });
  }

  /** Each assignment of each notice, but for those of the watchdog and the time of a reload; N for how many are queued. */
  said(): readonly string[] {
    const all = this.notices.flatMap(({ text }) => text.split("\n"));
    const told = all.filter((line) => !/^(WATCHDOG|MONOTONIC_USEC|BARRIER|EXTEND_TIMEOUT_USEC)=|^$/.test(line));
    return told.map((line) => line.replace(/\d+ queued/, "N queued"));
  }

  times(assignment: string): number {
    return this.notices.filter(({ text }) => text.split("\n").includes(assignment)).length;
  }

  logged(event: string): readonly LogLine[] {
    return this.logs.filter((line) => line.event === event);
  }

  async until(what: string, holds: () => boolean, withinMs = 15_000): Promise<void> {
    try {
      await until(holds, what, withinMs);
    } catch (error) {
      const last = [...this.stderr.slice(-15), ...this.notices.slice(-10).map(({ text }) => text)];
      throw new Error(`the agent said last:\n${last.join("\n")}`, { cause: error });
    }
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** SIGTERM, and its status once everything that it said has come. */
  async stop(): Promise<number | undefined> {
    this.kill("SIGTERM");
    await this.#closed;
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-(this.#child.pid ?? 0), "SIGKILL");
    } catch {
      // All of them have gone.
    }
    await this.#closed;
  }

  #hear(line: string): void {
    const { main, from, text, ended } = JSON.parse(line) as {
      main?: number;
      from?: number;
      text?: string;
      ended?: number;
    };
    if (main !== undefined) this.pid = main;
    if (from !== undefined && text !== undefined) this.notices.push({ from, text, atMs: Date.now() });
    if (ended !== undefined) this.ended = ended;
  }
}
