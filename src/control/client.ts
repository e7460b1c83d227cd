import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { AgentError, errnoOf, isAbort, messageOf } from "../core/errors.ts";
import { controlLimits } from "../core/limits.ts";
import type { ModelChange } from "../core/model-choice.ts";
import type { SentEntry, SpoolListing } from "../core/ports.ts";
import type {
  DeliverySelection,
  HeldRecord,
  HoldRequest,
  ListPage,
  MovedRecord,
  Queue,
  QueueCheck,
  QueueStats,
  QueueStep,
  SentPage,
} from "../core/queue.ts";
import { bytesOf, changeOf, checkOf, heldOf, listingOf, sentEntryOf, statsOf, stepOf } from "./answers.ts";
import { readBody } from "./body.ts";
import {
  decodeMessage,
  encodeMessage,
  errorOfValue,
  type Message,
  methodPath,
  protocol,
  protocolHeader,
} from "./message.ts";
import { callTimeoutMsOf, type Method } from "./methods.ts";
import { arrayOf, movedRecordOf, objectOf, truthOf } from "./parse.ts";

/** Nobody listens: there is no socket, or its daemon was killed. */
const nobody: ReadonlySet<string | undefined> = new Set(["ENOENT", "ECONNREFUSED", "ENOTDIR"]);

/**
 * The queue of a running daemon, and its choice of a model, over its socket. Errors arrive as they were thrown there; those of the way
 * there are `CONTROL_…`. Every call ends with `signal`.
 */
export class ControlClient implements Queue {
  readonly #path: string;
  readonly #signal: AbortSignal;

  constructor(path: string, signal: AbortSignal) {
    this.#path = path;
    this.#signal = signal;
  }

  /** True when a daemon listens. Fails with `CONTROL_DENIED` where this user may not ask it. */
  async reaches(): Promise<boolean> {
    if (Buffer.byteLength(this.#path) > controlLimits.pathBytesMax) return false;
    return await new Promise<boolean>((resolve, reject) => {
      const socket = connect({ path: this.#path });
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", (error) => {
        if (nobody.has(errnoOf(error))) resolve(false);
        else reject(this.#wayError(error));
      });
    });
  }

  async stats(): Promise<QueueStats> {
    return statsOf((await this.#call("stats", {})).value);
  }

  async list(page: ListPage): Promise<readonly SpoolListing[]> {
    return arrayOf((await this.#call("list", page)).value, "listings", listingOf);
  }

  async find(reference: string): Promise<SpoolListing | undefined> {
    const { value } = await this.#call("find", { reference });
    return value === undefined ? undefined : listingOf(value);
  }

  async image(sequence: number): Promise<Buffer> {
    return bytesOf((await this.#call("image", { sequence })).bytes);
  }

  async sent(page: SentPage): Promise<readonly SentEntry[]> {
    return arrayOf((await this.#call("sent", page)).value, "entries", sentEntryOf);
  }

  async retry(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#step("retry", selection, afterSequence);
  }

  async drop(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#step("drop", selection, afterSequence);
  }

  async count(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#step("count", selection, afterSequence);
  }

  async hasten(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#step("hasten", selection, afterSequence);
  }

  async prioritize(selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return await this.#step("prioritize", selection, afterSequence);
  }

  async verify(afterSequence: number, repair: boolean): Promise<QueueCheck> {
    return checkOf((await this.#call("verify", { afterSequence, repair })).value);
  }

  async hold(request: HoldRequest): Promise<readonly HeldRecord[]> {
    return arrayOf((await this.#call("hold", request)).value, "held records", heldOf);
  }

  async held(sequence: number): Promise<MovedRecord> {
    const { value, bytes } = await this.#call("held", { sequence });
    return movedRecordOf(value, bytesOf(bytes));
  }

  async release(sequence: number): Promise<void> {
    await this.#call("release", { sequence });
  }

  async giveBack(sequences: readonly number[]): Promise<void> {
    await this.#call("giveBack", { sequences });
  }

  async takeIn({ envelope, ...state }: MovedRecord): Promise<boolean> {
    const { value } = await this.#call("takeIn", state, envelope);
    return truthOf(objectOf(value, "an answer")["taken"], "taken");
  }

  /** The daemon takes the installed model over at once, where it stands its proof: `ModelChoice` says how. */
  async useModel(reference: string): Promise<ModelChange> {
    return changeOf((await this.#call("useModel", { reference })).value);
  }

  async rollBackModel(): Promise<ModelChange> {
    return changeOf((await this.#call("rollBackModel", {})).value);
  }

  async #step(method: Method, selection: DeliverySelection, afterSequence: number): Promise<QueueStep> {
    return stepOf((await this.#call(method, { selection, afterSequence })).value);
  }

  async #call(method: Method, value: unknown, bytes?: Buffer): Promise<Required<Message>> {
    const body = encodeMessage(bytes === undefined ? { value } : { value, bytes });
    let answer: { readonly status: number | undefined; readonly body: Buffer };
    try {
      answer = await this.#exchange(method, body);
    } catch (error) {
      throw this.#wayError(error);
    }
    const message = decodeMessage(answer.body);
    if (answer.status !== 200) throw errorOfValue(message.value);
    return message;
  }

  async #exchange(
    method: Method,
    body: Buffer,
  ): Promise<{ readonly status: number | undefined; readonly body: Buffer }> {
    const deadline = new AbortController();
    const stop = (): void => deadline.abort();
    const timeoutMs = callTimeoutMsOf(method);
    const timer = setTimeout(() => deadline.abort(tooSlow(timeoutMs)), timeoutMs);
    this.#signal.addEventListener("abort", stop, { once: true });
    try {
      this.#signal.throwIfAborted();
      const response = await this.#respond(method, body, deadline.signal);
      if (response.headers[protocolHeader] !== protocol) throw otherVersion();
      return { status: response.statusCode, body: await readBody(response, controlLimits.answerBytesMax) };
    } catch (error) {
      throw deadline.signal.reason instanceof AgentError ? deadline.signal.reason : error;
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", stop);
    }
  }

  async #respond(method: Method, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request(
        {
          socketPath: this.#path,
          path: `${methodPath}${method}`,
          method: "POST",
          headers: { "content-length": body.length },
          agent: false,
          signal,
        },
        resolve,
      );
      // Stays attached: what fails after the answer began is the answer's error as well.
      asked.on("error", reject);
      asked.end(body);
    });
  }

  #wayError(error: unknown): Error {
    if (error instanceof AgentError || (error instanceof Error && isAbort(error))) return error;
    const attempted = `ask the daemon at ${this.#path}`;
    const errno = errnoOf(error);
    if (errno === "EACCES" || errno === "EPERM") {
      return new AgentError("CONTROL_DENIED", `${attempted}: only the user it runs as may`, {
        disposition: "fatal",
        cause: error,
      });
    }
    return new AgentError("CONTROL_FAILED", `${attempted}: ${messageOf(error)}`, {
      disposition: "retry",
      cause: error,
    });
  }
}

function tooSlow(timeoutMs: number): AgentError {
  return new AgentError("CONTROL_TIMEOUT", `ask the daemon: no answer came in ${timeoutMs / 1_000} s`, {
    disposition: "retry",
  });
}

function otherVersion(): AgentError {
  return new AgentError("CONTROL_VERSION", "ask the daemon: it is of another version than this program", {
    disposition: "fatal",
  });
}
