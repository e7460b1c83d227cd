import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Context } from "mocha";
import { missing } from "./programs.ts";
import { repositoryFolder } from "./shared.ts";

const script = join(repositoryFolder, "test", "lib", "rtsp-server.py");
/** Debian's own: others see no gi. */
const python = "/usr/bin/python3";
const packages =
  "python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-base, gstreamer1.0-plugins-good and gstreamer1.0-plugins-ugly";

type Access = "open" | "basic" | "digest";

/** What an operator may change at the camera. */
interface Setup {
  readonly password?: string;
  /** Before the path of each stream. */
  readonly folder?: string;
}

/** A real RTSP server in a process of its own, at three ports: without a password, with Basic, with Digest. */
export class RtspServer {
  readonly user: string;
  readonly password: string;
  #child: ChildProcess | undefined;
  #ports: readonly string[] = [];

  constructor(user: string, password: string) {
    this.user = user;
    this.password = password;
  }

  /**
   * At the same ports as before. Where GStreamer is missing it skips the test, or the suite of a hook, and throws where
   * there is none.
   */
  async start(context?: Context, { password = this.password, folder = "" }: Setup = {}): Promise<this> {
    const child = spawn(python, [script, ...this.#ports], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    // What was not started has not read its input either.
    child.stdin.on("error", () => undefined);
    child.stdin.end(`${this.user}\n${password}\n${folder}\n`);
    const line = once(createInterface(child.stdout), "line").then(([text]) => String(text));
    const ended = once(child, "exit").then(
      ([status]) => `ended with ${String(status)}`,
      () => "ended with 3",
    );
    const first = await Promise.race([line, ended]);
    if (first === "ended with 3" && context !== undefined)
      missing(context, `an RTSP server (Debian packages ${packages})`);
    if (!/^\d+ \d+ \d+$/.test(first)) throw new Error(`the RTSP server ${first}; it needs ${packages}`);
    this.#ports = first.split(" ");
    return this;
  }

  url(access: Access, path: string): string {
    return `rtsp://127.0.0.1:${this.#ports[["open", "basic", "digest"].indexOf(access)]}${path}`;
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Whatever was done to it. */
  async revive(): Promise<void> {
    if (this.#child === undefined) await this.start();
    else this.signal("SIGCONT");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
}
