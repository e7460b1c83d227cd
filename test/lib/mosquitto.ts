import { type ChildProcess, execFile, spawn } from "node:child_process";
import { pbkdf2Sync } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { tempFolder } from "./temp.ts";

/** A port that nothing listens on at the moment of asking. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Polls; fails naming `what` when it does not come true in time. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(10);
  }
}

/** Of a password file, as mosquitto_passwd writes it. */
export function passwordLine(user: string, password: string): string {
  const salt = Buffer.from("twelve bytes");
  const hash = pbkdf2Sync(password, salt, 101, 64, "sha512");
  return `${user}:$7$101$${salt.toString("base64")}$${hash.toString("base64")}\n`;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A line of a password file. */
export async function hashedLogin(user: string, password: string): Promise<string> {
  await using folder = await tempFolder();
  const file = join(folder.path, "passwords");
  await promisify(execFile)("mosquitto_passwd", ["-b", "-c", file, user, password]);
  return await readFile(file, "utf8");
}

export interface MosquittoOptions {
  /** Lines for the config file, after the listener. */
  readonly lines?: readonly string[];
  /** Other files, by name; the config lines name them as `@/name`. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A real broker on the loopback address, with its own config, port and folder. */
export class Mosquitto {
  readonly #options: MosquittoOptions;
  #folder: Awaited<ReturnType<typeof tempFolder>> | undefined;
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(options: MosquittoOptions = {}) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    this.#folder = await tempFolder();
    const { path } = this.#folder;
    this.#port = await freePort();
    const lines = this.#options.lines ?? ["allow_anonymous true"];
    // As root it would give up its rights and then not read the folder.
    const asRoot = process.getuid?.() === 0 ? ["user root"] : [];
    const config = [...asRoot, `listener ${this.#port} 127.0.0.1`, ...lines, ""].join("\n");
    await writeFile(join(path, "mosquitto.conf"), config.replaceAll("@/", `${path}/`));
    for (const [name, text] of Object.entries(this.#options.files ?? {})) {
      await writeFile(join(path, name), text, { mode: 0o600 });
    }
    await this.launch();
    return this;
  }

  /** After `kill`: the same config on the same port. */
  async launch(): Promise<void> {
    const { path } = this.#folder ?? { path: "" };
    const child = spawn("mosquitto", ["-c", join(path, "mosquitto.conf")], { stdio: "ignore" });
    this.#child = child;
    await eventually("mosquitto listens", () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}`);
      return accepts(this.#port);
    });
  }

  /** Another text for one of its files, and its order to read them again. */
  async rewrite(name: string, text: string): Promise<void> {
    await writeFile(join(this.#folder?.path ?? "", name), text, { mode: 0o600 });
    this.#child?.kill("SIGHUP");
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  async kill(how: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    await this.#end(how);
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.#folder?.[Symbol.asyncDispose]();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}
