import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { LogLine } from "./agent.ts";
import type { SoakOrigin } from "./soak-clock.ts";

/** To look into what a run found. */
const wholeLog = process.env["FRAMEPOST_SOAK_LOG"];
const program = new URL("./soak-agent.js", import.meta.url).pathname;

export interface SoakDaemonPlan {
  readonly hurry: number;
  readonly origin: SoakOrigin;
  readonly offsetFile: string;
  readonly configFile: string;
  readonly dataFolder: string;
  /** The service manager's watchdog, by the agent's clock. */
  readonly watchdogMs: number;
  readonly onLine: (line: LogLine) => void;
}

/** The daemon through all its processes; each is started by us, as a service manager does. */
export class SoakDaemon {
  readonly #plan: SoakDaemonPlan;
  readonly #endWithUs = (): void => void this.#child?.kill("SIGKILL");
  #child: ChildProcess | undefined;
  #closed: Promise<unknown> = Promise.resolve();
  #lives = 0;
  #isExpectedToEnd = false;
  /** Ends that nobody asked for, and what was said beside the log: warnings of Node's. */
  readonly troubles: string[] = [];
  readonly #said: string[] = [];

  constructor(plan: SoakDaemonPlan) {
    this.#plan = plan;
    process.prependOnceListener("exit", this.#endWithUs);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get lives(): number {
    return this.#lives;
  }

  get said(): readonly string[] {
    return this.#said;
  }

  start(): void {
    const { hurry, origin, offsetFile, configFile, dataFolder, watchdogMs, onLine } = this.#plan;
    const clock = [hurry, origin.wallMs, origin.monotonicMs, offsetFile].map(String);
    const words = ["run", "-c", configFile, "--data", dataFolder, "--log-level", "debug"];
    const env = { ...process.env, JOURNAL_STREAM: undefined, WATCHDOG_USEC: String(watchdogMs * 1_000) };
    const child = spawn(process.execPath, ["--trace-warnings", program, ...clock, ...words], {
      stdio: ["ignore", "ignore", "pipe"],
      env,
    });
    this.#child = child;
    this.#lives += 1;
    this.#isExpectedToEnd = false;
    this.#closed = once(child, "close");
    child.once("exit", (code, signal) => {
      if (this.#isExpectedToEnd) return;
      this.troubles.push(`life ${this.#lives} ended with ${signal ?? code}: ${this.#said.slice(-5).join(" | ")}`);
      this.start();
    });
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (wholeLog !== undefined) appendFileSync(wholeLog, `${line}\n`);
      this.#said.push(line);
      if (this.#said.length > 40) this.#said.shift();
      if (line.startsWith("{")) onLine(JSON.parse(line) as LogLine);
      else if (line !== "" && this.troubles.length < 100) this.troubles.push(line);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Everything that it wrote has been read when it resolves. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#isExpectedToEnd = true;
    child.kill(signal);
    await this.#closed;
    return child.exitCode;
  }

  async dispose(): Promise<void> {
    await this.end("SIGKILL");
    process.removeListener("exit", this.#endWithUs);
  }
}
