import { spawn, type ChildProcess } from "node:child_process";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { AgentError, messageOf } from "../core/errors.ts";
import { visionLimits } from "../core/vision-limits.ts";
import { Channel, type Message } from "./channel.ts";
import { readReply, type Reply, type Task } from "./protocol.ts";

/** One life of the vision process: spawned, asked one task at a time, ended. The client decides when there is a next. */

export interface ChildReply {
  readonly reply: Reply;
  readonly body: Buffer;
}

const ownProgram = fileURLToPath(new URL("./process/main.js", import.meta.url));
/** Nothing else of the environment reaches the child: it may hold secrets. */
const environmentKept: readonly string[] = [
  "PATH",
  "HOME",
  "TMPDIR",
  "TZ",
  "LANG",
  "LD_LIBRARY_PATH",
  "NODE_V8_COVERAGE",
];

interface Waiting {
  readonly id: number;
  readonly resolve: (answer: ChildReply) => void;
  readonly reject: (error: AgentError) => void;
  readonly deadline: NodeJS.Timeout;
}

/**
 * A small young generation and one helper thread; and the process collects itself, because the engine does not see that
 * its few young objects hold the pictures and outputs of dozens of frames.
 */
const engineOptions: readonly string[] = ["--max-semi-space-size=1", "--v8-pool-size=1", "--expose-gc"];

/**
 * Fails with `VISION_CRASHED` where no process can be made at all; one that does not start ends, like any other. Another
 * `program` that speaks the same protocol can stand in.
 */
export function spawnVision(program = ownProgram): VisionChild {
  const child = spawn(process.execPath, [...engineOptions, program], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: {
      ...Object.fromEntries(environmentKept.map((name) => [name, process.env[name]])),
      // glibc gives every thread of sharp's a heap of its own, which costs up to 100 MB and brings nothing here.
      MALLOC_ARENA_MAX: "1",
      // What is free at the end of the heap goes back at once; as a default glibc keeps twice the largest buffer ever.
      MALLOC_TRIM_THRESHOLD_: "131072",
      // The runtime would otherwise report its use to its maker, and leave an id and logs in the home and temp folders.
      ORT_DISABLE_TELEMETRY: "1",
    },
  });
  // Out of descriptors there are no streams at all, whatever their type says.
  const stream = (child.stdio as readonly unknown[] | undefined)?.[3];
  if (stream instanceof Duplex) return new VisionChild(child, stream);
  child.once("error", () => undefined);
  throw crashed("it got no channel");
}

export class VisionChild {
  readonly #process: ChildProcess;
  readonly #channel: Channel;
  readonly #ended: Promise<AgentError>;
  #waiting: Waiting | undefined;
  #calls = 0;
  #stderrTail = "";
  /** Why it ends, when this side ends it. */
  #endedFor: AgentError | undefined;

  constructor(child: ChildProcess, stream: Duplex) {
    this.#process = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-visionLimits.stderrTailBytes);
    });
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(crashed(`it does not start: ${messageOf(error)}`)));
      child.once("exit", (code, signal) => resolve(this.#endedFor ?? crashed(this.#howItEnded(code, signal))));
    });
    this.#channel = new Channel(
      stream,
      (message) => this.#take(message),
      // The process is useless without its channel; its end then tells the rest.
      () => child.kill("SIGKILL"),
    );
    this.#channel.listen();
    void this.#ended.then((error) => this.#fail(error));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves with the reason once the process has gone. */
  get ended(): Promise<AgentError> {
    return this.#ended;
  }

  /**
   * One at a time. Rejects with the reason when the process ends first, and with `IMAGE_TOO_LARGE` before it is asked; an
   * error of the task itself is in the reply. A process that misses the deadline hangs in native code: it is ended, because nothing else helps.
   */
  async ask(task: Task, body: Buffer | undefined, timeoutMs: number): Promise<ChildReply> {
    this.#calls += 1;
    const id = this.#calls;
    return new Promise((resolve, reject) => {
      // First, because it refuses what is too large; no answer can come before this is through.
      this.#channel.send({ id, task }, body);
      // A plain timer: it bounds a real process, and it is made and cleared on the way of every frame.
      const deadline = setTimeout(() => {
        this.#endedFor = late(task.kind, timeoutMs);
        this.#process.kill("SIGKILL");
      }, timeoutMs);
      this.#waiting = { id, resolve, reject, deadline };
    });
  }

  /** Asks it to end and makes sure. */
  async stop(reason = stoppedForGood()): Promise<void> {
    this.#endedFor = reason;
    // It ends when its channel does; one that is not yet so far hears the signal.
    this.#channel.close();
    this.#process.kill("SIGTERM");
    const hurry = setTimeout(() => this.#process.kill("SIGKILL"), visionLimits.stopGraceMs);
    await this.#ended;
    clearTimeout(hurry);
  }

  #take({ header, body }: Message): void {
    const reply = readReply(header);
    if (reply === undefined || reply.id !== this.#waiting?.id) return;
    const { resolve, deadline } = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(deadline);
    resolve({ reply, body });
  }

  #fail(error: AgentError): void {
    if (this.#waiting === undefined) return;
    clearTimeout(this.#waiting.deadline);
    this.#waiting.reject(error);
    this.#waiting = undefined;
  }

  #howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
    const how = signal === null ? `it ended with code ${code ?? -1}` : `it was ended by ${signal}${meaningOf(signal)}`;
    const said = messageOf(wordsOf(this.#stderrTail));
    return said === "" ? how : `${how}, after: ${said}`;
  }
}

/** What an operator can make of it. */
function meaningOf(signal: NodeJS.Signals): string {
  switch (signal) {
    case "SIGILL":
      return ": this processor lacks an instruction that the model or its runtime needs";
    case "SIGKILL":
      return ": perhaps the system ran out of memory";
    case "SIGABRT":
    case "SIGSEGV":
    case "SIGBUS":
    case "SIGFPE":
      return ": its native code failed, on this model or this picture";
    default:
      return "";
  }
}

/**
 * The lines of a text that are words. A line that is binary, a dump of bytes or one long run of base64 may be a picture,
 * which no error and no log may hold, and so may a single word, the rest of one; nor does the line that the bound of the tail has cut tell what it was.
 */
function wordsOf(tail: string): string {
  const lines = tail.split("\n");
  const whole = tail.length < visionLimits.stderrTailBytes ? lines : lines.slice(1);
  const dump =
    /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\ufffd]|(?:\b[0-9a-f]{2}\b[\s,]*){8}|(?:\d{1,3},\s*){3}|[\w+/=]{60}/i;
  return whole.filter((line) => line.trim().includes(" ") && !dump.test(line)).join("\n");
}

function stoppedForGood(): AgentError {
  return new AgentError("VISION_UNAVAILABLE", "the vision process was stopped", { disposition: "retry" });
}

function crashed(how: string): AgentError {
  return new AgentError("VISION_CRASHED", `the vision process is gone: ${how}`, { disposition: "retry" });
}

function late(what: string, timeoutMs: number): AgentError {
  return new AgentError("VISION_TIMEOUT", `the vision process did not ${what} within ${timeoutMs} ms and was ended`, {
    disposition: "retry",
  });
}
