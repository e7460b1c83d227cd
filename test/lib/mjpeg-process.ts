import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** An MJPEG server in a process of its own on a given port, to be killed and frozen. */
export class MjpegProcess implements AsyncDisposable {
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Resolves once it listens. */
  async start(): Promise<this> {
    const script = join(import.meta.dirname, "mjpeg-child.js");
    const child = spawn(process.execPath, [script, String(this.#port)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    await once(child.stdout, "data");
    return this;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const ended = once(child, "exit");
    if (child.kill("SIGKILL")) await ended;
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Whatever was done to it. */
  async revive(): Promise<void> {
    if (this.#child === undefined) await this.start();
    else this.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
