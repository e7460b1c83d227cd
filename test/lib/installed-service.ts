import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { DebianRoot } from "./debian-root.ts";
import { until } from "./poll.ts";

const withinMs = 120_000;

export interface Confinement {
  readonly user: string;
  /** 2: a filter is in force. */
  readonly seccomp: number;
  readonly noNewPrivileges: number;
  /** Of its bounding set. */
  readonly capabilities: number;
}

/** A unit's service in a Debian root, from its start to its end. */
export class InstalledService implements AsyncDisposable {
  readonly #root: DebianRoot;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = "";

  constructor(root: DebianRoot, unit: string) {
    this.#root = root;
    this.#child = root.startUnit(unit);
    this.#ended = once(this.#child, "close");
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (text: Buffer) => (this.#said = `${this.#said}${text.toString()}`.slice(-8_000)));
    }
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const isOver = () => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await until(() => holds() || isOver(), what, withinMs).catch((error: unknown) => {
      throw new Error(`the service said last:\n${this.#said}`, { cause: error });
    });
    if (isOver()) throw new Error(`${what}: the service ended with ${this.#child.exitCode}:\n${this.#said}`);
  }

  confinement(): Confinement {
    const text = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(text)?.[1] ?? "";
    const uid = field("Uid");
    const users = readFileSync(this.#root.in("etc/passwd"), "utf8").split("\n");
    const user = users.map((line) => line.split(":")).find(([, , each]) => each === uid)?.[0] ?? uid;
    return {
      user,
      seccomp: Number(field("Seccomp")),
      noNewPrivileges: Number(field("NoNewPrivs")),
      capabilities: Number.parseInt(field("CapBnd"), 16),
    };
  }

  /** Its exit status. */
  async stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    await this.#ended;
    return this.#child.exitCode ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
